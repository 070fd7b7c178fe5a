"""Pocket TTS in Chromium: recommended for a sample, refused at the gate, downloaded and heard.

The hub stands on this machine; the checkpoint is tiny and random, so what is said is noise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from modules.core_components.access_token import AccessToken
from tests.core_components.ai_models.fake_hub import FakeHub
from tests.e2e.conftest import APP, StudioProcess, watched_page
from tests.e2e.studio_page import StudioPage
from tests.helpers.pocket_studio import (
    STRANGER,
    TOKEN,
    WEIGHTS,
    gated_hub,
    has_part,
    make_recording,
    make_root,
)
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.e2e

TEXT = "Good morning to you."
USE = "Download and speak"


@pytest.fixture
def hub(tiny_pocket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with gated_hub(tiny_pocket) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub


@pytest.fixture
def studio(hub: FakeHub, tiny_pocket: Path, tmp_path: Path) -> Iterator[StudioProcess]:
    root = make_root(tmp_path / "studio", tiny_pocket)
    process = StudioProcess(root, root / "models")
    process.start()
    yield process
    process.stop()


def test_a_newcomer_hears_a_clone(
    studio: StudioProcess, hub: FakeHub, chromium: Browser, tmp_path: Path
) -> None:
    with watched_page(chromium, studio.url) as page:
        screen = StudioPage(page)
        screen.add_sample(make_recording(tmp_path), "Anna", "Anna")
        expect(screen.message("is ready")).to_be_visible()
        screen.write(TEXT)
        page.get_by_role("button", name="Recommended engines").click()
        expect(screen.rows().first).to_contain_text("Pocket TTS English")
        expect(screen.rows().first).to_contain_text("recommended")
        page.get_by_label("I accept this licence").locator("visible=true").check()
        page.get_by_label("Access token").locator("visible=true").fill(STRANGER)
        screen.button(USE).click()
        expect(screen.text("Accept the terms at")).to_be_visible()

        AccessToken(studio.root).save(TOKEN)
        hub.sent[WEIGHTS] = hub.files[WEIGHTS][:-1] + b"\0"
        screen.button("Try again").click()
        expect(screen.job("Download")).to_contain_text("A file arrived with another content")
        expect(screen.button("Try again")).to_be_visible()
        hub.sent.clear()
        hub.hold.clear()
        screen.button("Try again").click()
        eventually(lambda: has_part(studio.root), 60)
        screen.button("Cancel").click()
        expect(screen.text("Cancelled.")).to_be_visible()
        hub.hold.set()
        screen.button("Try again").click()
        expect(screen.button("Download wav")).to_be_visible()
        expect(screen.menu("Engine")).to_have_value("Pocket TTS English")
        expect(screen.rows().first).to_contain_text("on this machine")
        expect(screen.rows().first).to_contain_text("measured here")

        hub.listing_status = 503  # what is here speaks without the hub
        screen.button("Generate").click()
        eventually(lambda: len(list((studio.root / "output").glob("*.wav"))) == 2, 60)
    assert any(asked and asked.startswith("bytes=") for asked in hub.ranges)


def test_two_terminals_download_it_once(hub: FakeHub, tiny_pocket: Path, tmp_path: Path) -> None:
    root = make_root(tmp_path / "studio", tiny_pocket)
    AccessToken(root).save(TOKEN)
    command = [sys.executable, str(APP), "--data-root", str(root), "models", "download", "pocket"]
    environment = {**os.environ, "VOICE_STUDIO_MODELS": str(root / "models")}
    both = [
        subprocess.Popen([*command, "--accept-licence"], env=environment, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [one.wait(120) for one in both] == [0, 0]
    sent = [path for path in hub.asked if path.endswith("resolve/" + "c" * 40 + f"/{WEIGHTS}")]
    assert len(sent) == 1
