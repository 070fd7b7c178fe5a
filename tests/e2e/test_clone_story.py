"""One voice from its sample to its take, through a reload and a crash in the middle."""

from __future__ import annotations

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
from tests.e2e.studio_page import StudioPage

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


def test_a_fit_survives_reload_and_crash_and_the_take_repeats(
    studio: StudioProcess, chromium: Browser, sample: Path, tmp_path: Path
) -> None:
    # Not the fixture `page`: a page whose server dies complains, and may.
    page = chromium.new_page(viewport={"width": 1320, "height": 1400})
    page.goto(studio.url, timeout=OPENING_MS)
    screen = StudioPage(page)
    screen.add_sample(sample, "The captain", "Nobody: a mixed stock voice")
    expect(screen.told("is ready")).to_be_visible()
    screen.write(SENTENCE)
    screen.button("Generate").click()
    job = page.locator(".studio-job", has_text="The captain")
    expect(job).to_contain_text(re.compile(r"[1-9]\d?%"), timeout=FITTING_MS)

    page.reload()
    expect(job).to_contain_text(re.compile(r"[1-9]\d?%"))
    expect(screen.button("Cancel")).to_be_visible()

    page.close()
    studio.kill()
    studio.start()
    reopened = chromium.new_page(viewport={"width": 1320, "height": 1400})
    reopened.goto(studio.url, timeout=OPENING_MS)
    screen = StudioPage(reopened)
    expect(screen.text("The studio was closed while this ran.")).to_be_visible()
    screen.button("Resume").click()
    expect(screen.text("Similarity to the sample")).to_be_visible(timeout=FITTING_MS)
    expect(screen.text("Understood by Whisper")).to_be_visible()
    expect(screen.text("Fitted voice")).to_be_visible()
    if folder := os.environ.get("STUDIO_SCREENSHOTS"):
        reopened.screenshot(path=Path(folder) / "fitted.png", full_page=True)

    screen.button("Generate again").click()
    expect(screen.text("Identical.")).to_be_visible(timeout=FITTING_MS)
    first, second = (studio.root / "output").glob("*.wav")
    assert first.read_bytes() == second.read_bytes()

    screen.button("Export").click()
    with reopened.expect_download() as download:
        reopened.get_by_role("link", name=re.compile(r"B ⇣$")).last.click()
    assert download.value.suggested_filename == "The_captain.pt"
    exported = tmp_path / "The_captain.pt"
    download.value.save_as(exported)
    assert load_pack(exported).shape == (510, 1, 256)
    reopened.close()
