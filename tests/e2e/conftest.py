"""The real studio, in a process of its own, looked at with the real Chromium."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modules.core_components.texts import LANGUAGE_VARIABLE
from tests.e2e.studio_page import StudioPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, Response

APP = Path(__file__).resolve().parents[2] / "app.py"
START_S = 180.0
# The page is built at its first visit.
OPENING_MS = 120_000
# What Chromium and Gradio say when the stream of a page that is being left is cut, or is asked for
# once more after the server has forgotten that page.
CUT = (
    "AbortError: signal is aborted",
    "AbortError: BodyStreamBuffer was aborted",
    "Connection errored out",
    "Unexpected error 404: Not Found",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "TypeError: network error",
)
LEAVING = "The page is being left"
TELL_LEAVING = f"addEventListener('beforeunload', () => console.debug('{LEAVING}'))"
CHROMIUM = os.environ.get("STUDIO_CHROMIUM", "/usr/bin/chromium")
CHROMIUM_OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files come first, so that the other processes have something to do meanwhile."""
    long = ("_story", "test_page", "test_recordings_page")
    items.sort(key=lambda item: not any(name in str(item.path) for name in long))


class StudioProcess:
    """`python app.py` over a data root; can be killed and started again."""

    def __init__(
        self, root: Path, models: Path, catalog: Path | None = None, language: str = "en"
    ) -> None:
        self.root = root
        self.url = ""
        self._environment = {
            **os.environ,
            "VOICE_STUDIO_MODELS": str(models),
            "PYTHONUNBUFFERED": "1",
            # Without one that of the settings decides.
            LANGUAGE_VARIABLE: language,
        }
        if catalog is not None:
            self._environment["VOICE_STUDIO_CATALOG"] = str(catalog)
        self._process: subprocess.Popen[str] | None = None

    def start(self, port: int = 0) -> None:
        """Returns once the studio says where it is; port 0 takes a free one."""
        command = [sys.executable, str(APP), "--port", str(port), "--no-browser"]
        self._process = subprocess.Popen(
            [*command, "--data-root", str(self.root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )
        too_late = threading.Timer(START_S, self._process.kill)
        too_late.start()
        said = ""
        try:
            for line in self._process.stdout or ():
                said += line
                if found := re.search(r"http://[\d.]+:\d+", line):
                    self.url = found.group()
                    threading.Thread(target=self._process.communicate, daemon=True).start()
                    return
        finally:
            too_late.cancel()
        raise AssertionError(f"The studio did not open:\n{said}")

    def kill(self) -> None:
        """kill -9: nothing is put in order."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ctrl-C; returns the exit status."""
        return self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(60)


@pytest.fixture(scope="module")
def studio(
    starter_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StudioProcess]:
    """A studio in an empty data root, shared by the tests of a module.

    It does not refine voices, which takes minutes of a core; test_clone_story.py has that.
    """
    root = tmp_path_factory.mktemp("studio")
    (root / "config.json").write_text('{"refine_voices": false}', encoding="utf-8")
    process = StudioProcess(root, starter_models)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, studio: StudioProcess) -> Iterator[Page]:
    """The studio's page; whatever the browser complains about fails the test at its end."""
    with watched_page(chromium, studio.url) as page:
        yield page


@pytest.fixture
def screen(page: Page) -> StudioPage:
    return StudioPage(page)


@contextmanager
def watched_page(chromium: Browser, url: str, script: str = "") -> Iterator[Page]:
    """A page of a studio; raises AssertionError at its end if the browser complained.

    `script` runs in it before anything else.
    """
    context = chromium.new_context(viewport={"width": 1320, "height": 900})
    page = context.new_page()
    complaints: list[str] = []

    def look_at(answer: Response) -> None:
        if answer.status >= 400:
            complaints.append(f"{answer.status} {answer.url}")

    leaving = False

    def hear(said: ConsoleMessage) -> None:
        nonlocal leaving
        leaving = leaving or said.text == LEAVING
        if said.type == "error" and not (leaving and any(words in said.text for words in CUT)):
            complaints.append(said.text)

    def arrive(frame: Frame) -> None:
        nonlocal leaving
        leaving = leaving and frame is not page.main_frame

    page.add_init_script(f"{TELL_LEAVING};{script}")
    page.on("response", look_at)
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on("console", hear)
    page.on("framenavigated", arrive)
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((url, "data:", "blob:"))
            else complaints.append(f"asked another host: {request.url}")
        ),
    )
    page.goto(url, timeout=OPENING_MS)
    yield page
    context.close()
    assert not complaints, "\n".join(complaints)
