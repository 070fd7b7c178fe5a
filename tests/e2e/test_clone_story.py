"""One voice from its sample to its take, through a reload and a crash in the middle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from modules.core_components.ai_models.engines.kokoro.voices import load_pack
from tests.e2e.conftest import APP, OPENING_MS, StudioProcess
from tests.e2e.studio_page import SPEAKING_MS, StudioPage
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.e2e

READ = (
    "When the wind came up in the evening, we pulled the boat onto the beach and made a fire. "
    "My brother told the story of the old captain, who never slept and never once lost his way."
)
SENTENCE = "Nobody had seen the yellow umbrella since Thursday."
FITTING_MS = 1_800_000


@pytest.fixture(scope="module")
def studio(
    starter_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StudioProcess]:
    """A studio whose fits are short; bench/voice_fit.py measures what a whole one is worth."""
    root = tmp_path_factory.mktemp("studio")
    (root / "config.json").write_text('{"voice_match_steps": 6}', encoding="utf-8")
    process = StudioProcess(root, starter_models)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def sample(
    studio: StudioProcess, starter_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A speaker who does not exist: a mix of stock voices."""
    target = tmp_path_factory.mktemp("sample") / "captain.wav"
    command = [sys.executable, str(APP), "--data-root", str(tmp_path_factory.mktemp("cli"))]
    command += ["speak", "--voice", "am_michael(2)+bm_lewis(1)", "--text", READ]
    subprocess.run(
        [*command, "--out", str(target)],
        check=True,
        env={**os.environ, "VOICE_STUDIO_MODELS": str(starter_models)},
    )
    return target


def test_a_voice_speaks_at_once_and_its_refinement_survives_reload_and_crash(
    studio: StudioProcess, chromium: Browser, sample: Path, tmp_path: Path
) -> None:
    # Not the fixture `page`: a page whose server dies complains, and may.
    page = chromium.new_page(viewport={"width": 1320, "height": 1400})
    page.goto(studio.url, timeout=OPENING_MS)
    screen = StudioPage(page)
    screen.add_sample(sample, "The captain", "Nobody: a mixed stock voice")
    expect(screen.message("is ready")).to_be_visible()
    screen.speak(SENTENCE)
    expect(screen.text("Similarity to the sample")).to_be_visible()
    expect(screen.text("Expected of the match")).to_be_visible()
    expect(screen.button("Refine")).to_be_visible()
    job = page.locator(".studio-job", has_text="Refine the voice of The captain")
    expect(job).to_contain_text(re.compile(r"[1-9]\d?%"), timeout=FITTING_MS)
    assert len(list((studio.root / "output").glob("*.wav"))) == 1

    page.reload()
    expect(job).to_contain_text(re.compile(r"[1-9]\d?%"))
    expect(screen.button("Cancel")).to_be_visible()

    page.close()
    studio.kill()
    studio.start()
    reopened = chromium.new_page(viewport={"width": 1320, "height": 1400})
    reopened.goto(studio.url, timeout=OPENING_MS)
    screen = StudioPage(reopened)
    # It goes on by itself.
    job = reopened.locator(".studio-job", has_text="Refine the voice of The captain")
    expect(job).to_contain_text(re.compile(r"\d%"), timeout=FITTING_MS)
    expect(screen.text(re.compile("^After refining$"))).to_be_visible(timeout=FITTING_MS)
    expect(screen.button("Refine")).to_have_count(0)
    if folder := os.environ.get("STUDIO_SCREENSHOTS"):
        reopened.screenshot(path=Path(folder) / "refined.png", full_page=True)

    # A take of the first state is made again with it; a new one has the refined voice.
    screen.button("Generate again").click()
    expect(screen.text(re.compile(r"^Identical\."))).to_be_visible(timeout=FITTING_MS)
    first, second = (studio.root / "output").glob("*.wav")
    assert first.read_bytes() == second.read_bytes()
    screen.write(SENTENCE)
    screen.button("Generate").click()

    def prompt_keys() -> set[str]:
        records = (studio.root / "output").glob("*.json")
        written = [text for record in records if (text := record.read_text(encoding="utf-8"))]
        return {json.loads(text)["prompt_key"] for text in written}

    eventually(lambda: len(prompt_keys()) == 2, SPEAKING_MS / 1000)
    screen.wait_for_take()

    screen.button("Export").click()
    with reopened.expect_download() as download:
        reopened.get_by_role("link", name=re.compile(r"B ⇣$")).last.click()
    assert download.value.suggested_filename == "The_captain.pt"
    exported = tmp_path / "The_captain.pt"
    download.value.save_as(exported)
    assert load_pack(exported).shape == (510, 1, 256)
    reopened.close()
