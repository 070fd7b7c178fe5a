"""The Voice Presets tab in Chromium over the real Kokoro: hear, mix, keep, speak, exchange."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from modules.core_components.ai_models.engines.kokoro.voices import PACK_SHAPE, load_pack
from tests.e2e.conftest import StudioProcess, watched_page
from tests.e2e.studio_page import SPEAKING_MS, StudioPage

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def screen(chromium: Browser, studio: StudioProcess) -> Iterator[StudioPage]:
    """One page for all: opening it takes longer than looking at it."""
    with watched_page(chromium, studio.url) as page:
        screen = StudioPage(page)
        screen.open_tab("Voice Presets")
        expect(screen.rows().filter(has_text="bm_george")).to_be_visible()
        yield screen


def bring_in(screen: StudioPage, file: Path) -> None:
    if not screen.button("Import").is_visible():
        screen.page.get_by_role("button", name="Import a voice").click()
    screen.pick_file(file)
    # The name is there before the upload has ended, the link to the file is not.
    arrived = screen.page.get_by_role("link", name=re.compile(r"B ⇣$")).locator("visible=true")
    expect(arrived).to_be_visible()
    screen.button("Import").click()


def test_a_voice_is_heard_mixed_kept_and_spoken_with(
    studio: StudioProcess, screen: StudioPage
) -> None:
    page = screen.page
    screen.rows().filter(has_text="if_sara").click()
    player = page.get_by_test_id("waveform-if_sara")
    expect(player).to_be_visible(timeout=SPEAKING_MS)
    assert len(list((studio.root / "cache" / "previews").glob("*.wav"))) == 1
    expect(screen.menu("Language")).to_have_value("Italian")
    expect(screen.text("Voice: Sara")).to_be_visible()

    page.get_by_label("Mix of voices", exact=True).check()
    expect(screen.text("Voice: the mix")).to_be_visible()
    screen.choose("Voice 1", "Heart (af_heart)")
    screen.choose("Voice 2", "Emma (bf_emma)")
    page.get_by_label("Weight 2, as a number").fill("-1")
    expect(screen.text("What is added must weigh more")).to_be_visible()
    page.get_by_label("Weight 2, as a number").fill("-0.5")
    expect(screen.text("af_heart(1)-bf_emma(0.5)")).to_be_visible()
    page.get_by_label("Name of the new voice").fill("Heart – less Emma")
    screen.button("Save as voice").click()
    expect(screen.message("is saved as Heart_less_Emma")).to_be_visible()

    page.get_by_label("One voice", exact=True).check()
    row = screen.rows().filter(has_text="Heart_less_Emma")
    expect(row).to_contain_text("your own")
    screen.choose("Language", "English (US)")
    screen.write("It is a fine day.")
    screen.button("Generate").click()
    expect(page.get_by_role("group", name="Playing while generating")).to_have_attribute(
        "data-state", re.compile("playing|done"), timeout=SPEAKING_MS
    )
    screen.wait_for_take()
    expect(screen.text("Every word was understood.")).to_be_visible()


def test_voices_are_exchanged_and_rubbish_is_refused(
    studio: StudioProcess, screen: StudioPage, tmp_path: Path
) -> None:
    bare = tmp_path / "friend.bin"
    np.full(PACK_SHAPE, 0.01, "<f4").tofile(bare)
    bring_in(screen, bare)
    expect(screen.message("is saved as friend")).to_be_visible()
    row = screen.rows().filter(has_text="imported from friend.bin")
    expect(row).to_be_visible()
    with screen.page.expect_download() as download:
        screen.button("Download safetensors").click()
    download.value.save_as(tmp_path / "friend.safetensors")
    np.testing.assert_allclose(load_pack(tmp_path / "friend.safetensors"), 0.01)
    evil = tmp_path / "evil.pt"
    evil.write_bytes(pickle.dumps({"style": print}))
    bring_in(screen, evil)
    expect(screen.message(r"evil\.pt")).to_be_visible()
    screen.button("Delete voice").click()
    screen.button("Delete").click()
    expect(row).to_have_count(0)
    assert not (studio.root / "voices" / "friend.safetensors").exists()
    screen.write("  ")
    screen.button("Generate").click()
    expect(screen.message("no text to speak")).to_be_visible()
