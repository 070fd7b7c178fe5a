"""The Dataset tab in Chromium: recordings in, a text fixed, a clip left out and taken back.

The studio runs on fakes (a listener that counts), the page, the jobs and the files are real.
"""

from __future__ import annotations

import re
import socket
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from modules.core_components.ai_models import reset_managers
from modules.tools.dataset import transcription
from modules.tools.services import Services
from modules.ui.server import create_app, listening_socket
from tests.e2e.conftest import watched_page
from tests.e2e.studio_page import SPEAKING_MS, StudioPage
from tests.helpers.fakes import fake_studio
from tests.tools.dataset_fakes import COUNTER, add_counter, hum

pytestmark = pytest.mark.e2e


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setattr(
        transcription, "speech_regions", lambda speech, cancel: [(0.0, speech.duration_s)]
    )
    services, _ = fake_studio(tmp_path / "studio")
    add_counter(services)
    services.change_settings({"asr_model": COUNTER})
    yield services
    services.close()
    reset_managers()


class _Server(uvicorn.Server):
    """Tells when requests are answered."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_open = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_open.set()


@pytest.fixture
def screen(services: Services, chromium: Browser) -> Iterator[StudioPage]:
    with listening_socket("127.0.0.1", 0) as listener:
        config = uvicorn.Config(create_app(services), log_level="warning")
        server = _Server(config)
        running = threading.Thread(target=server.run, args=([listener],))
        running.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            assert server.is_open.wait(60)
            # The page is built when it is first asked for, which takes a slow machine a while.
            with urllib.request.urlopen(address, timeout=120):
                pass
            with watched_page(chromium, address) as page:
                yield StudioPage(page)
        finally:
            server.should_exit = True
            running.join()


def texts(services: Services) -> str:
    folder = services.datasets.get("Aunt Anna").folder
    files = (folder / f"metadata_{subset}.csv" for subset in ("train", "eval"))
    return "".join(file.read_text(encoding="utf-8") for file in files)


def test_a_dataset_is_built_mended_and_a_change_taken_back(
    screen: StudioPage, services: Services, tmp_path: Path
) -> None:
    page = screen.page
    screen.open_tab("Dataset")
    page.get_by_label("Name of the dataset").fill("Aunt Anna")
    page.get_by_label("Speaker (optional)").locator("visible=true").fill("Anna")
    screen.button("Create dataset").click()
    expect(screen.message("if the speaker agreed")).to_be_visible()
    page.get_by_label("This is my own voice", exact=False).locator("visible=true").check()
    screen.button("Create dataset").click()
    expect(screen.text("This dataset is empty.")).to_be_visible()

    screen.button("Add to dataset").click()
    expect(screen.message("no recordings yet")).to_be_visible()
    page.get_by_role("tab", name="Folder", exact=True).click()
    screen.fill_when_shown("Folder on this machine", str(tmp_path / "nowhere"))
    screen.button("Add to dataset").click()
    expect(screen.message("There is no folder")).to_be_visible()
    hum(tmp_path / "recordings" / "talk.wav", 40.0)
    screen.fill_when_shown("Folder on this machine", str(tmp_path / "recordings"))
    screen.button("Add to dataset").click()
    expect(screen.message("1 recordings? added")).to_be_visible(timeout=SPEAKING_MS)
    expect(screen.text("Too little to train on")).to_be_visible()
    expect(screen.rows().first).to_be_visible()

    screen.rows().first.click()
    said = page.get_by_label("Text", exact=True).locator("visible=true")
    expect(said).not_to_have_value("")
    before = texts(services)
    expect(page.get_by_role("group", name="Clip")).to_be_visible()
    start = page.get_by_role("slider", name="Start of the selection")
    start.press("Shift+ArrowRight")
    start.press("ArrowRight")
    expect(page.get_by_label("From (s)")).to_have_value("0.11")
    said.fill("left | right")
    screen.button("Save text").click()
    expect(screen.message("cannot have a")).to_be_visible()
    said.fill("It was mended by hand.")
    screen.button("Save text").click()
    expect(screen.message("The text is saved")).to_be_visible()
    expect(screen.rows().filter(has_text="It was mended by hand.")).to_be_visible()
    assert "|It was mended by hand.|" in texts(services)

    screen.button("Exclude").click()
    expect(screen.button("Include")).to_be_visible()
    assert "mended" not in texts(services)
    page.get_by_role("button", name=re.compile("Undo: Drop")).click()
    expect(screen.button("Exclude")).to_be_visible()
    page.get_by_role("button", name=re.compile("Undo: Text")).click()
    expect(said).not_to_have_value("It was mended by hand.")
    assert texts(services) == before

    with page.expect_download() as download:
        screen.button("Download LJSpeech zip").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        assert "metadata.csv" in packed.namelist()
