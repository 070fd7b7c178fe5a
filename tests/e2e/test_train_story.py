"""From recordings to a voice model of one's own, as a new user would: on a tiny random XTTS.

What it says is babble; that every step leads to the next is what is shown here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.values import Speech
from tests.e2e.conftest import APP, StudioProcess
from tests.e2e.studio_page import SPEAKING_MS, StudioPage
from tests.helpers.tiny_xtts import install_tiny_xtts

pytestmark = pytest.mark.e2e

READ = (
    "The old lighthouse stood alone at the end of the pier. Every evening the keeper climbed its "
    "stairs and lit the lamp. Ships far out at sea could see the light and knew that they were "
    "close to home. One winter night a storm broke the great window. The keeper held a blanket "
    "against the wind until the morning came. Nobody in the village ever forgot what she had done."
)
# The same words at other speeds are other recordings: two minutes of them, spoken in one.
SPEEDS = (1.0, 0.96, 1.05, 0.92, 1.1, 0.98, 1.03)
FIRST, SECOND = "first try", "second try"


@pytest.fixture(scope="module")
def recordings(starter_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings of one speaker, two minutes and a half."""
    folder = tmp_path_factory.mktemp("recordings")
    spoken = tmp_path_factory.mktemp("spoken") / "read.wav"
    command = [sys.executable, str(APP), "--data-root", str(spoken.parent), "speak"]
    subprocess.run(
        # The seed decides how many clips there are, and a last batch of one clip is refused.
        [*command, "--voice", "af_heart", "--text", READ, "--out", str(spoken), "--seed", "1"],
        check=True,
        env={**os.environ, "VOICE_STUDIO_MODELS": str(starter_models)},
    )
    read = read_speech(spoken)
    for number, speed in enumerate(SPEEDS):
        faster = Speech(read.samples, round(read.sample_rate_hz * speed))
        write_speech(folder / f"evening {number}.wav", faster)
    return folder


@pytest.fixture(scope="module")
def studio(
    starter_models: Path, tiny_xtts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StudioProcess]:
    """A studio with the starter models and the tiny XTTS in the place of the real one."""
    models = tmp_path_factory.mktemp("models")
    for folder in starter_models.iterdir():
        if folder.is_dir() and folder.name != "xtts":
            (models / folder.name).symlink_to(folder)
    catalog = install_tiny_xtts(tiny_xtts, models)
    process = StudioProcess(tmp_path_factory.mktemp("studio"), models, catalog)
    process.start()
    yield process
    process.stop()


def photograph(page: Page, name: str) -> None:
    if folder := os.environ.get("STUDIO_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_from_recordings_to_a_voice(page: Page, recordings: Path) -> None:
    screen = StudioPage(page)
    build_the_dataset(screen, recordings)
    prepare_and_train(screen)
    judge_and_publish(screen)
    speak_with_it(screen)


def build_the_dataset(screen: StudioPage, recordings: Path) -> None:
    page = screen.page
    screen.open_tab("Dataset")
    page.get_by_label("Name of the dataset").fill("Lighthouse")
    page.get_by_label("Speaker (optional)").locator("visible=true").fill("Nobody: a stock voice")
    page.get_by_label("This is my own voice", exact=False).locator("visible=true").check()
    screen.button("Create dataset").click()
    expect(screen.text("This dataset is empty.")).to_be_visible()
    page.get_by_role("tab", name="Folder", exact=True).click()
    screen.fill_when_shown("Folder on this machine", str(recordings))
    screen.choose("Transcription model", "Whisper tiny.en")
    screen.button("Add to dataset").click()
    expect(screen.message(f"{len(SPEEDS)} recordings added")).to_be_visible(timeout=SPEAKING_MS)
    # It is looked at, too.
    expect(screen.text("Similarity to the main speaker")).to_be_visible(timeout=SPEAKING_MS)
    screen.rows().first.click()
    said = page.get_by_label("Text", exact=True).locator("visible=true")
    expect(said).not_to_have_value("")
    said.fill("Mended by hand, it says something else.")
    screen.button("Save text").click()
    expect(screen.message("The text is saved")).to_be_visible()
    page.get_by_label("Search").locator("visible=true").fill("by hand")  # it is worst no more
    expect(screen.rows()).to_have_count(1)
    expect(screen.rows()).to_contain_text("Mended by hand")
    photograph(page, "story_dataset")


def number(page: Page, label: str) -> Locator:
    """The box of a slider or of a plain number."""
    boxes = page.get_by_role("spinbutton", name=re.compile(label)).locator("visible=true")
    return boxes.first


def set_number(page: Page, label: str, value: str) -> None:
    """Writes into the box of a slider or of a plain number."""
    box = number(page, label)
    box.fill(value)
    box.press("Enter")


def prepare_and_train(screen: StudioPage) -> None:
    page = screen.page
    screen.open_tab("Train XTTS")
    screen.button("Next").click()
    expect(screen.text("The training has no name.")).to_be_visible()
    page.get_by_label("Name of the training").fill(FIRST)
    photograph(page, "story_training")
    screen.button("Next").click()
    expect(page.get_by_role("tab", name="2 · Settings")).to_be_focused()
    page.get_by_label("Quick", exact=True).check()
    expect(screen.text("It sets: Epochs 3")).to_be_visible()
    page.get_by_role("button", name=re.compile("All options")).click()
    # Gradio gives a component in a closed accordion its value some moments after it is shown; what
    # a program types before that, faster than any hand, is overwritten.
    expect(number(page, "Epochs")).to_have_value("3")
    set_number(page, "Epochs", "40")
    set_number(page, "Early stopping", "0")
    set_number(page, "Learning rate", "0.001")
    expect(screen.text("Epochs: 40 instead of 3")).to_be_visible()
    photograph(page, "story_settings")
    screen.button("Next").click()
    expect(screen.button("Train")).to_be_disabled()
    screen.button("Run preflight").click()
    expect(screen.text(re.compile(r"Ready: \d+ rows"))).to_be_visible()
    photograph(page, "story_preflight")
    # Looking back keeps what was typed, and the preflight holds.
    screen.button("Back").click()
    expect(number(page, "Epochs")).to_have_value("40")
    page.get_by_role("tab", name="1 · Dataset").press("Enter")
    expect(page.get_by_label("Name of the training")).to_have_value(FIRST)
    page.get_by_role("tab", name="3 · Check").press("Enter")
    expect(screen.button("Train")).to_be_enabled()
    screen.button("Train").click()
    expect(page.locator("svg.studio-curves polyline.train").first).to_be_visible(
        timeout=SPEAKING_MS
    )
    page.reload()
    screen.open_tab("Train XTTS")
    # A training that runs is shown at once.
    expect(page.get_by_role("tab", name="4 · Train", selected=True)).to_be_visible()
    expect(page.locator("svg.studio-curves polyline.train").first).to_be_visible()
    screen.button("Stop now").click()
    expect(screen.button("Resume")).to_be_visible()
    photograph(page, "story_stopped")
    screen.button("Resume").click()
    expect(screen.button("Stop after this epoch")).to_be_visible()
    expect(page.locator("svg.studio-curves circle.eval").nth(1)).to_be_visible(timeout=SPEAKING_MS)
    screen.button("Stop after this epoch").click()
    expect(screen.button("Resume")).to_be_visible(timeout=SPEAKING_MS)
    photograph(page, "story_trained")


def judge_and_publish(screen: StudioPage) -> None:
    page = screen.page
    screen.button("Next").click()
    expect(page.get_by_role("tab", name="5 · Listen and publish")).to_be_focused()
    screen.button("Judge checkpoints").click()
    expect(screen.text("Compare two checkpoints")).to_be_visible(timeout=SPEAKING_MS)
    expect(screen.rows().first).to_be_visible()
    photograph(page, "story_judged")
    page.get_by_label("Name of the voice").fill("Lighthouse keeper")
    screen.button("Publish").click()
    expect(screen.text("Lighthouse keeper is published.")).to_be_visible(timeout=SPEAKING_MS)
    photograph(page, "story_published")


def speak_with_it(screen: StudioPage) -> None:
    screen.open_tab("Voice Clone")
    screen.choose("Engine", "Lighthouse keeper")
    screen.use_stock_voice()
    expect(screen.menu("Stock voice")).to_have_value(re.compile("^Lighthouse keeper"))
    screen.speak("The keeper came home.")
    photograph(screen.page, "story_spoken")
