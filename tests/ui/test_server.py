"""The page behind its guards, asked over HTTP."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient

from modules.core_components.access_token import TOKEN_FILE
from modules.core_components.audio.encode import encode_speech
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.values import Speech
from modules.tools.models.library import access_token
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.ui.endpoints import PUBLIC
from modules.ui.safety import LOOPBACK, allowed_hosts, check_address
from modules.ui.server import (
    TICK_S,
    PatientLoop,
    create_app,
    launch,
    listening_socket,
    serve,
)
from tests.helpers.fakes import ECHO
from tests.ui.page_client import HERE, fire, open_page


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), base_url=HERE) as client:
        yield client


def test_the_page_answers_with_its_policy(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "Voice Clone Studio" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_browser_gets_a_page_for_an_address_that_does_not_exist(client: TestClient) -> None:
    answer = client.get("/nothing", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/"' in answer.text
    assert client.get("/nothing", headers={"accept": "application/json"}).json() == {
        "detail": "Not Found"
    }
    wrong = client.get("/v1/nothing", headers={"accept": "*/*"})
    assert wrong.json()["error"]["message"]


def test_a_rebound_name_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"host": "localhost:7860"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_another_site_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    upload = client.post("/gradio_api/upload", files={"files": b"x"}, headers=headers)
    assert upload.status_code == 403
    assert client.get("/config", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": HERE},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
    ],
)
def test_the_page_itself_and_a_followed_link_are_let_in(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.get("/", headers=headers).status_code == 200


def test_only_recordings_are_served(client: TestClient, services: Services) -> None:
    request = SpeechRequest("one two", "high", "preset", seed=1, score=False)
    take = speak(services, request)
    settings = services.settings
    config = settings.root / "config.json"
    config.write_text("{}")
    access_token(services).save("hf_abcDEF123456")
    token = settings.root / TOKEN_FILE
    assert client.get(f"/gradio_api/file={take.path}").status_code == 200
    for secret in (config, token, settings.cache_folder / "jobs.sqlite", "/etc/passwd"):
        assert client.get(f"/gradio_api/file={secret}").status_code == 403
    sneaky = f"{settings.output_folder}/../config.json"
    assert client.get(f"/gradio_api/file={sneaky}").status_code in (403, 404)


def test_only_an_uploaded_file_is_taken_in(
    client: TestClient, services: Services, tmp_path: Path
) -> None:
    open_page(client)  # fills the menus, whose values are checked too
    config = client.get("/config").json()
    kinds = {c["id"]: c["type"] for c in config["components"]}
    # A recording and its audio track, model and language, words to expect, speakers.
    taken = ["file", "audio", "dropdown", "dropdown", "dropdown", "textbox", "dropdown"]
    (transcribe,) = (d for d in config["dependencies"] if [kinds[i] for i in d["inputs"]] == taken)

    def ask(path: str) -> bool:
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        outcome = fire(client, transcribe["id"], [file, None, None, ECHO, "en", "", ""])
        return bool(outcome["success"])

    tone = 0.1 * np.sin(np.arange(16_000) / 8)
    sound = encode_speech(Speech(tone.astype(np.float32), 16_000), "wav")
    private = tmp_path.parent / "private.wav"
    private.write_bytes(sound)
    assert not ask(str(private))
    assert services.jobs.list() == ()
    (uploaded,) = client.post("/gradio_api/upload", files={"files": ("a.wav", sound)}).json()
    assert ask(uploaded)
    assert len(services.jobs.list()) == 1


def test_queued_work_cannot_be_run_past_the_queue(client: TestClient) -> None:
    answer = client.post("/gradio_api/run/clone_voice", json={"data": ["a", "high", "preset"]})
    assert answer.status_code == 404


def test_nothing_of_gradios_own_doors_is_open(client: TestClient) -> None:
    for door in ("/monitoring", "/redoc", "/gradio_api/docs", "/gradio_api/mcp/"):
        assert client.get(door).status_code in (403, 404, 405), door
    # These two are the API's own; they say nothing of the page.
    assert not any("gradio" in path for path in client.get("/openapi.json").json()["paths"])
    assert "gradio" not in client.get("/docs").text


def test_the_public_endpoints_are_these(client: TestClient) -> None:
    named = client.get("/gradio_api/info").json()["named_endpoints"]
    assert set(named) == {f"/{name}" for name in PUBLIC}


def test_an_open_address_needs_a_password(services: Services) -> None:
    with pytest.raises(BadInputError, match="every machine of the network"):
        launch(services.settings.root, 0, host="0.0.0.0")  # noqa: S104 - it must be refused
    check_address("0.0.0.0", "secret")  # noqa: S104
    check_address("127.0.0.1", "")
    assert "evil.example" not in allowed_hosts("127.0.0.1")


def test_a_password_closes_the_page(services: Services) -> None:
    app = create_app(services, password="secret")
    with TestClient(app, base_url=HERE) as client:
        assert client.get("/config").status_code == 401
        wrong = client.post("/login", data={"username": "studio", "password": "guess"})
        assert wrong.status_code == 400
        right = client.post("/login", data={"username": "studio", "password": "secret"})
        assert right.status_code == 200
        assert client.get("/config").status_code == 200


def test_a_taken_port_is_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(StudioError, match=r"^Port \d+ is taken\.") as told:
            listening_socket("127.0.0.1", other.getsockname()[1])
    assert "--port" in told.value.hint


def test_timers_of_the_server_are_no_finer_than_a_tick_and_never_early() -> None:
    """So that what looks for work every millisecond does not keep a core awake."""
    loop = PatientLoop()
    try:
        now = loop.time()
        timers = [loop.call_at(now + n / 1000, lambda: None) for n in range(1, 101)]
        due = [timer.when() for timer in timers]
        assert all(when >= now + n / 1000 for n, when in enumerate(due, start=1))
        assert len(set(due)) <= 0.1 / TICK_S + 1
    finally:
        loop.close()


@pytest.mark.skipif(os.name != "posix", reason="Windows has another loop")
def test_the_server_runs_on_the_patient_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: configs.append(self.config))
    with listening_socket(LOOPBACK, 0) as listener:
        serve(None, listener, lambda: None)
    assert configs[0].get_loop_factory() is PatientLoop
