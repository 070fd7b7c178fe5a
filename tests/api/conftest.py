"""The API over a studio on fakes: asked in memory, and over a real port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from openai import OpenAI

from modules.api.app import create_api
from modules.core_components.ai_models import reset_managers
from modules.tools.services import Services, open_services
from modules.ui.server import listening_socket
from tests.api.listening import LISTENER, Listener
from tests.helpers.fakes import SINE, SineEngine, fake_entry

HERE = "http://127.0.0.1:7860"


@pytest.fixture
def engine() -> SineEngine:
    return SineEngine()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def services(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: SineEngine,
    listener: Listener,
) -> Iterator[Services]:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "page"))
    choices: Mapping[str, Any] = {
        "models_folder": str(tmp_path / "models"),
        "tts_model": SINE,
        "asr_model": LISTENER,
        "api_max_text_characters": 500,
        "api_queue_length": 1,
        "max_upload_mb": 1,
        "offline_mode": True,  # nothing asks a model hub
    }
    services = open_services(tmp_path, choices)
    speaks = fake_entry(SINE, "text-to-speech", ("clone", "stock-voices"))
    listens = fake_entry(LISTENER, "speech-to-text", ())
    services.tts.register_engine(SINE, lambda entry, context: engine, speaks)
    services.asr.register_engine(LISTENER, lambda entry, context: listener, listens)
    yield services
    engine.may_speak.set()
    services.close()
    reset_managers()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    app = create_api(services)
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The app on a free port of this machine, in a thread; gives its address."""
    listener = listening_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    # Until then the port is taken but nobody listens on it.
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.fixture
def address(services: Services) -> Iterator[str]:
    """The API over a real port; without the page, which takes seconds to build."""
    with served(create_api(services)) as address:
        yield address


@pytest.fixture
def official(address: str) -> Iterator[OpenAI]:
    """The official client; it repeats nothing, so that every answer is seen."""
    with OpenAI(base_url=f"{address}/v1", api_key="none needed", max_retries=0) as client:
        yield client
