"""The Conversation tab in Chromium on fakes, and one conversation of real voices read back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import read_speech
from modules.core_components.progress import CancelToken
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import Speech
from modules.tools.conversation.cast import CastVoice
from modules.tools.conversation.conversation import (
    ConversationRequest,
    begin_conversation,
    speak_conversation,
)
from modules.tools.services import Services, open_services
from modules.tools.speaking.scores import read_back
from modules.ui.server import create_app
from tests.api.conftest import served
from tests.e2e.conftest import watched_page
from tests.e2e.studio_page import StudioPage
from tests.helpers.fakes import SineEngine, add_noise, fake_studio

pytestmark = pytest.mark.e2e

SCRIPT = "Anna: Good <b>morning</b>.\nBen: (softly) To you [pause:1s] too.\nAnna: How are you?"
Fake = tuple[Services, SineEngine]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    services, engine = fake_studio(tmp_path)
    add_noise(services, "Ben")
    yield services, engine
    engine.may_speak.set()
    services.close()
    reset_managers()


@pytest.fixture
def page(fake: Fake, chromium: Browser) -> Iterator[Page]:
    with served(create_app(fake[0])) as address, watched_page(chromium, address) as page:
        yield page


def speak(screen: StudioPage, script: str) -> None:
    screen.page.get_by_label("Script", exact=True).fill(script)
    screen.button("Generate conversation").click()


def test_a_conversation_is_spoken_mended_reloaded_and_opened_again(fake: Fake, page: Page) -> None:
    services, engine = fake
    screen = StudioPage(page)
    screen.open_tab("Conversation")
    expect(screen.text("The speakers appear here")).to_be_visible()
    speak(screen, "(Nobody speaks.)")
    expect(screen.message("nothing to speak")).to_be_visible()

    engine.may_speak.clear()
    page.get_by_label("Script", exact=True).fill(SCRIPT)
    expect(screen.menu("Voice of Ben")).to_have_value("Ben (sample)")
    screen.choose("Voice of Anna", "low")
    screen.button("Generate conversation").click()
    expect(screen.job("Anna, Ben")).to_contain_text("Line 1 of 3: Anna")
    page.reload()
    screen.open_tab("Conversation")
    expect(page.get_by_label("Script", exact=True)).to_have_value(SCRIPT)
    expect(screen.menu("Voice of Anna")).to_have_value("low")
    expect(screen.rows().filter(has_text="How are you?")).to_contain_text("missing")
    engine.may_speak.set()
    expect(screen.button("Cancel")).to_have_count(0)
    expect(screen.button("Download srt")).to_be_visible()
    (made,) = services.conversations.list()
    assert made.is_complete
    assert [member.kind for member in made.cast] == ["preset", "sample"]

    screen.rows().filter(has_text="To you").click()
    text = page.get_by_label("Text of the line")
    expect(text).to_have_value("(softly) To you [pause:1s] too.")
    text.fill("(softly) And to you too.")
    screen.button("Generate line again").click()
    expect(screen.rows().filter(has_text="And to you too.")).to_be_visible()
    expect(screen.button("Cancel")).to_have_count(0)
    with page.expect_download() as download:
        screen.button("Download srt").click()
    srt = Path(download.value.path()).read_text(encoding="utf-8")
    assert "Ben: And to you too." in srt

    speak(screen, "Cleo: Only one.")
    expect(screen.rows().filter(has_text="Only one.").first).to_be_visible()
    expect(screen.button("Cancel")).to_have_count(0)
    screen.rows().filter(has_text="Anna, Ben").click()
    expect(page.get_by_label("Script", exact=True)).to_have_value(SCRIPT)
    expect(screen.rows().filter(has_text="And to you too.")).to_be_visible()
    screen.button("Delete conversation").click()
    screen.button("Delete").click()
    expect(screen.rows().filter(has_text="Anna, Ben")).to_have_count(0)


def test_real_voices_say_the_script_at_the_times_of_the_subtitles(
    starter_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICE_STUDIO_MODELS", str(starter_models))
    services = open_services(tmp_path)
    lines = ("The ship came in at noon.", "The sailors bought bread and fruit at the market.")
    request = ConversationRequest(
        f"Anna: {lines[0]}\nBen: {lines[1]}",
        {"Anna": CastVoice("af_heart"), "Ben": CastVoice("am_michael(2)+bm_george")},
        seed=1,
    )
    try:
        made = speak_conversation(services, begin_conversation(services, request).id)
        joined = read_speech(made.file("wav"))
        assert made.whole is not None
        cues = re.findall(r"(\S+) --> (\S+)\n(\w+): ", made.file("srt").read_text(encoding="utf-8"))
        for line, cue, speaker in zip(lines, cues, ("Anna", "Ben"), strict=True):
            start_s, end_s = map(_seconds, cue[:2])
            assert cue[2] == speaker
            part = _between(joined, start_s, end_s)
            heard, _ = read_back(services, part, line, "en-us", CancelToken())
            assert word_error_rate(line, heard or "", "en") == 0
    finally:
        services.close()
        reset_managers()


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _between(speech: Speech, start_s: float, end_s: float) -> Speech:
    first, last = (round(s * speech.sample_rate_hz) for s in (start_s, end_s))
    return Speech(speech.samples[first:last], speech.sample_rate_hz)
