"""A page that is built at its first request, and lives until the server ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from modules.ui.server import LazyPage
from tests.conftest import ROOT


class Diary:
    """Builds a page that says hello, and writes down what happens to it."""

    def __init__(self, failures: int = 0) -> None:
        self.entries: list[str] = []
        self._failures = failures

    def build(self) -> FastAPI:
        self.entries.append("built")
        if self._failures:
            self._failures -= 1
            raise RuntimeError("no luck")

        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            self.entries.append("begun")
            yield
            self.entries.append("ended")

        page = FastAPI(lifespan=lifespan)
        page.get("/hello")(lambda: "hello")
        return page


def served(diary: Diary) -> FastAPI:
    page = LazyPage(diary.build)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await page.close()

    app = FastAPI(lifespan=lifespan)
    app.get("/health")(lambda: "well")
    app.mount("/", page)
    return app


def test_it_is_built_once_at_the_first_request() -> None:
    diary = Diary()
    with TestClient(served(diary)) as client:
        assert client.get("/health").json() == "well"
        assert diary.entries == []
        assert [client.get("/hello").json() for _ in range(2)] == ["hello", "hello"]
        assert diary.entries == ["built", "begun"]
    assert diary.entries == ["built", "begun", "ended"]


def test_a_server_without_visitors_ends_without_building_it() -> None:
    diary = Diary()
    with TestClient(served(diary)):
        pass
    assert diary.entries == []


def test_a_failed_build_is_tried_again() -> None:
    diary = Diary(failures=1)
    with TestClient(served(diary)) as client:
        with pytest.raises(RuntimeError, match="no luck"):
            client.get("/hello")
        assert client.get("/hello").json() == "hello"


def test_a_server_opens_without_the_imports_that_take_seconds() -> None:
    slow = "{'gradio', 'torch', 'transformers', 'spacy', 'librosa'}"
    program = f"import sys, modules.ui.server; sys.exit(bool({slow} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_page_is_built_without_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from modules.tools.services import open_services; "
        "from modules.ui.studio import build_studio; "
        f"build_studio(open_services(Path({str(tmp_path)!r}))); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_process_that_ends_does_not_look_through_all_objects_once_more() -> None:
    """With the libraries of the studio that takes seconds."""
    program = (
        "import atexit, gc, sys, app; sys.argv = ['app.py', '--help']; "
        "atexit.register(lambda: print('seen:', len(gc.get_objects()) > 10_000)); app.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "seen: False"
