"""The page in Chromium over the real starter models."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import read_speech
from modules.ui.server import create_app
from tests.api.conftest import served
from tests.e2e.conftest import OPENING_MS, StudioProcess, watched_page
from tests.e2e.studio_page import SETTLED_MS, SPEAKING_MS, StudioPage
from tests.helpers.fakes import fake_studio
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.e2e

SENTENCE = (
    "The ship came in at noon, with nine sailors and a cat. They had been away for three long "
    "years, and nobody in the town remembered their names."
)
# Each tab, and words that stand on it once it is filled.
TABS = {
    "Voice Clone": "Every word was understood.",
    "Voice Presets": "af_heart",
    "Transcribe": "Earlier transcripts",
    "Models": "Kokoro 82M v1.0",
    "History": "1 to",
    "Settings": "Speech model",
}


@pytest.fixture(scope="module")
def spoken(studio: StudioProcess, chromium: Browser) -> Path:
    """A take of SENTENCE in a stock voice, made on the page."""
    page = chromium.new_page()
    page.goto(studio.url, timeout=OPENING_MS)
    screen = StudioPage(page)
    screen.use_stock_voice()
    screen.set_seed(7)
    screen.speak(SENTENCE)
    page.close()
    (take,) = (studio.root / "output").glob("*.wav")
    return take


def test_a_take_is_scored_kept_and_made_again_bit_for_bit(
    studio: StudioProcess, screen: StudioPage, spoken: Path
) -> None:
    expect(screen.text("Every word was understood.")).to_be_visible()
    screen.open_tab("History")
    expect(screen.rows()).to_have_count(1)
    expect(screen.rows().first).to_contain_text("The ship came in at noon")
    screen.rows().first.click()
    expect(screen.text("Seed 7")).to_be_visible()
    screen.button("Generate again").click()
    expect(screen.text(re.compile(r"^Identical\."))).to_be_visible(timeout=SPEAKING_MS)
    expect(screen.rows()).to_have_count(2)
    first, second = (studio.root / "output").glob("*.wav")
    assert first.read_bytes() == second.read_bytes()
    # Gradio puts one player into the place of the other.
    player = screen.page.locator("studio-wave").locator("visible=true")
    for row in (screen.rows().last, screen.rows().first):
        row.click()
        expect(player).to_have_attribute("key", row.get_attribute("data-id") or "")
        expect(screen.button("Play")).to_be_enabled()


def test_a_take_is_downloaded_in_every_format(screen: StudioPage, spoken: Path) -> None:
    screen.open_tab("History")
    screen.rows().last.click()
    original = read_speech(spoken)
    for fmt in ("wav", "flac", "mp3"):
        with screen.page.expect_download() as download:
            screen.button(f"Download {fmt}").click()
        assert download.value.suggested_filename.endswith(f".{fmt}")
        heard = read_speech(Path(download.value.path()))
        assert abs(heard.duration_s - original.duration_s) < 0.1


def test_on_a_phone_a_take_comes_into_view_and_back_closes_it(
    screen: StudioPage, spoken: Path
) -> None:
    page = screen.page
    page.set_viewport_size({"width": 390, "height": 844})
    screen.open_tab("History")
    row = screen.rows().first
    for cell in row.locator("td").all():
        box = cell.bounding_box()
        assert box is not None
        assert 0 < box["x"] < box["x"] + box["width"] < 390
    row.click()
    player = page.locator("studio-wave").locator("visible=true")
    expect(player).to_be_in_viewport()
    page.go_back()
    expect(player).to_have_count(0)
    expect(row).to_be_in_viewport()
    assert page.url.endswith("#/history")
    page.go_forward()
    expect(player).to_be_in_viewport()
    screen.page.get_by_role("link", name="All takes").click()
    expect(player).to_have_count(0)


def test_two_takes_are_compared_and_a_deletion_is_taken_back(
    screen: StudioPage, spoken: Path
) -> None:
    screen.open_tab("History")
    for number in (0, 1):
        screen.page.get_by_role("checkbox", name="Select: The ship").nth(number).check()
        expect(screen.text(f"{number + 1} selected")).to_be_visible()
    unanswered: list[Route] = []
    screen.page.route("**/recordings/take/wave?*", lambda route: unanswered.append(route))
    screen.button("Compare").click()
    expect(screen.text("both were made with the same settings")).to_be_visible()
    first = screen.page.get_by_role("group", name="First take")
    first.press(" ")  # its recording is still loading
    expect(first.get_by_text("Loading…")).to_be_visible()
    for asked in unanswered:
        asked.continue_()
    screen.page.unroute("**/recordings/take/wave?*")
    expect(first.get_by_text(re.compile("^0:0[1-9]"))).to_be_visible()  # it plays
    first.press(" ")
    expect(first.get_by_role("button", name="Play")).to_be_visible()
    with screen.page.expect_download() as download:
        screen.button("Download joined").click()
    joined = read_speech(Path(download.value.path()))
    assert joined.duration_s > 1.5 * read_speech(spoken).duration_s
    screen.button("Delete selected").click()
    expect(screen.rows()).to_have_count(0)
    screen.button("Undo").click()
    expect(screen.rows()).to_have_count(2)


def options_of(studio: StudioProcess, text: str) -> list[dict[str, Any]]:
    """The options of the takes of a text."""
    files = (studio.root / "output").glob("[0-9]*.json")  # not those that are being written
    # A name that is reserved for a take is an empty file for a moment.
    takes = [json.loads(record) for path in files if (record := path.read_bytes())]
    return [take["options"] for take in takes if take["text"] == text]


def test_how_a_text_will_be_read_is_shown_and_steps_are_left_out(
    screen: StudioPage, spoken: Path, studio: StudioProcess
) -> None:
    page = screen.page
    view = page.locator(".studio-reading").locator("visible=true")
    screen.use_stock_voice()
    screen.write("It cost $5 on **May 2nd**.")
    page.get_by_role("button", name="How it will be read").locator("visible=true").click()
    expect(view.locator("mark")).to_have_text(["five dollars", "May second"])
    expect(screen.text("Phonemes")).to_be_visible()
    page.get_by_label("Ordinals").locator("visible=true").uncheck()
    page.get_by_label("Dates").locator("visible=true").uncheck()
    page.get_by_label("Money").locator("visible=true").uncheck()
    expect(view.get_by_text("Money")).to_have_count(0)
    screen.write("привет")
    screen.button("Update").click()
    expect(page.locator(".studio-job.bad").locator("visible=true")).to_contain_text("no phonemes")
    screen.write("It cost 5 dollars.")
    screen.button("Generate").click()
    eventually(lambda: bool(options_of(studio, "It cost 5 dollars.")), SPEAKING_MS / 1000)
    (options,) = options_of(studio, "It cost 5 dollars.")
    as_written = options["as_written"]
    assert as_written == "dates, ordinals, money"
    page.get_by_role("button", name="Options").locator("visible=true").click()
    option = page.get_by_label("Leave as written").locator("visible=true")
    expect(option).to_have_value(as_written)
    option.fill("mony")
    screen.button("Update").click()
    expect(screen.text("The reading has no step “mony”.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_an_empty_text_is_refused(screen: StudioPage) -> None:
    screen.use_stock_voice()
    screen.write("   ")
    screen.button("Generate").click()
    expect(screen.message("no text to speak")).to_be_visible()


def test_two_at_once_are_both_made_and_a_third_is_cancelled(
    screen: StudioPage, spoken: Path, studio: StudioProcess
) -> None:
    before = len(list((studio.root / "output").glob("*.wav")))
    screen.use_stock_voice()
    screen.write("One is first. " * 8)
    screen.button("Generate").click()
    expect(screen.job("One is first.")).to_be_visible()
    for number, text in enumerate(("Two is second.", "Three is never heard. " * 40), start=1):
        screen.write(text)
        screen.button("Generate").click()
        expect(screen.job(f"{number} more in the queue")).to_be_visible()
    running = screen.job("Three is never heard.")
    expect(running).to_be_visible(timeout=SPEAKING_MS)
    screen.button("Cancel").click()
    expect(running).to_contain_text("Cancelled", timeout=SPEAKING_MS)
    assert len(list((studio.root / "output").glob("*.wav"))) == before + 2


def takes_of(studio: StudioProcess) -> list[Path]:
    return [path for path in (studio.root / "output").glob("[0-9]*.json") if path.stat().st_size]


def test_a_model_is_loaded_seen_in_memory_and_unloaded(screen: StudioPage) -> None:
    screen.open_tab("Models")
    expect(screen.rows().first).to_be_visible()
    screen.page.get_by_role("radio", name="Transcription").check()
    # Once loaded it is in the list of what is in memory, too, without its licence.
    row = screen.rows().filter(has_text="Whisper tiny.en").filter(has_text="MIT")
    row.click()
    screen.button("Load into memory").click()
    expect(row).to_contain_text("in memory", timeout=SPEAKING_MS)
    screen.button("Unload").click()
    expect(row).not_to_contain_text("in memory")
    screen.page.get_by_role("radio", name="Speech").check()
    expect(screen.rows().filter(has_text="Qwen3-TTS 1.7B Base")).to_contain_text("not installed")


def test_settings_are_kept_and_bad_ones_refused(screen: StudioPage, studio: StudioProcess) -> None:
    screen.open_tab("Settings")
    screen.page.get_by_label("Longest sample").fill("12.5")
    screen.page.get_by_label("Port", exact=True).fill("8123")
    screen.button("Save").click()
    expect(screen.message("After a restart: Port")).to_be_visible()
    config = (studio.root / "config.json").read_text(encoding="utf-8")
    assert '"max_sample_minutes": 12.5' in config
    # A button that is pressed while its last press is still answered is pressed once.
    screen.page.wait_for_timeout(SETTLED_MS)
    screen.page.get_by_label("Port", exact=True).fill("99999")
    screen.button("Save").click()
    expect(screen.message("Port is 99999")).to_be_visible()
    assert (studio.root / "config.json").read_text(encoding="utf-8") == config


@pytest.mark.parametrize(
    ("look", "width"), [("light", 1320), ("dark", 1320), ("light", 420), ("dark", 420)]
)
def test_every_tab_fits_its_window(
    chromium: Browser, studio: StudioProcess, spoken: Path, tmp_path: Path, look: str, width: int
) -> None:
    """Saves a picture of each tab, for people to look at, in STUDIO_SCREENSHOTS."""
    folder = Path(os.environ.get("STUDIO_SCREENSHOTS", tmp_path))
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if look == "dark" else "light"
    )
    page = context.new_page()
    page.goto(studio.url, timeout=OPENING_MS)
    screen = StudioPage(page)
    for tab, landmark in TABS.items():
        screen.open_tab(tab)
        expect(screen.text(landmark)).to_be_visible()
        if tab in ("Models", "History"):
            row = screen.rows() if tab == "Models" else screen.rows().filter(has_text="The ship")
            row.first.click()
            shown = screen.button("Unload") if tab == "Models" else screen.text("Seed 7")
            expect(shown.first).to_be_visible()
        page.screenshot(path=folder / f"{tab}-{look}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), tab
    context.close()


def test_two_pages_speak_at_once_and_each_has_its_own(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an engine that speaks when it may: what mixes up pages is the order of the answers."""
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    services, engine = fake_studio(tmp_path)
    engine.may_speak.clear()
    with (
        served(create_app(services)) as url,
        watched_page(chromium, url) as first,
        watched_page(chromium, url) as second,
    ):
        one, two = StudioPage(first), StudioPage(second)
        texts = {one: "The text of one page.", two: "A text of the other page."}
        for screen, text in texts.items():
            screen.use_stock_voice()
            screen.write(text)
        one.button("Generate").click()
        expect(one.job("The text of one")).to_be_visible()
        two.button("Generate").click()
        expect(two.job("A text of the other")).to_contain_text("1 ahead of you")
        expect(one.job("more in the queue")).to_have_count(0)
        two.button("Cancel").click()
        expect(two.job("A text of the other")).to_contain_text("Cancelled")
        expect(one.button("Cancel")).to_be_visible()
        first.reload()
        two.button("Try again").click()
        expect(one.job("The text of one")).to_be_visible()
        engine.may_speak.set()
        eventually(lambda: len(services.takes.list()) == len(texts))
        made = {take.text: take.id for take in services.takes.list()}
        for screen, text in texts.items():
            players = screen.page.locator(f'studio-wave[key="{made[text]}"]')
            expect(players.locator("visible=true").first).to_be_visible()
    services.close()
    reset_managers()
