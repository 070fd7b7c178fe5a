"""Models, voices, health and documentation."""

from __future__ import annotations

import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi.testclient import TestClient

from modules.core_components.settings import change
from modules.tools.services import Services
from tests.api.listening import LISTENER
from tests.helpers.fakes import SINE, fake_entry


def test_every_listed_model_can_be_retrieved(client: TestClient) -> None:
    listed = client.get("/v1/models").json()
    assert listed["object"] == "list"
    ids = {model["id"] for model in listed["data"]}
    assert {SINE, LISTENER, "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "whisper-1"} <= ids
    for model in listed["data"]:
        assert client.get(f"/v1/models/{model['id']}").json() == model
        assert model["object"] == "model"


def test_a_model_that_is_not_installed_is_not_listed(
    client: TestClient, services: Services
) -> None:
    ids = {model["id"] for model in client.get("/v1/models").json()["data"]}
    assert "kokoro-v1.0" in services.tts.engine_ids()
    assert "kokoro-v1.0" not in ids
    missing = client.get("/v1/models/kokoro-v1.0")
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"


def test_another_installed_model_speaks_by_its_id(client: TestClient, services: Services) -> None:
    engine = services.tts.get(SINE)
    entry = fake_entry("sine-2", "text-to-speech", ("stock-voices",))
    services.tts.register_engine("sine-2", lambda entry, context: engine, entry)
    assert client.get("/v1/models/sine-2").status_code == 200
    body = {"model": "sine-2", "input": "one two", "voice": "low", "response_format": "pcm"}
    assert client.post("/v1/audio/speech", json=body).status_code == 200


def test_a_default_that_is_not_installed_is_told(client: TestClient, services: Services) -> None:
    services.settings = change(services.settings, tts_model="kokoro-v1.0")
    body = {"model": "tts-1", "input": "one", "voice": "alloy"}
    answer = client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 503
    assert "Download" in answer.json()["error"]["message"]


def test_voices(client: TestClient) -> None:
    voices = client.get("/v1/audio/voices").json()["voices"]
    kinds = {voice["id"]: voice["kind"] for voice in voices}
    assert kinds["high"] == kinds["low"] == "stock"
    assert kinds["alloy"] == kinds["shimmer"] == "openai"
    assert client.get("/v1/audio/voices", params={"model": "nothing"}).status_code == 404


def test_every_listed_voice_speaks(client: TestClient) -> None:
    for voice in client.get("/v1/audio/voices").json()["voices"]:
        body = {"input": "one", "voice": voice["id"], "response_format": "pcm"}
        assert client.post("/v1/audio/speech", json=body).status_code == 200, voice


def test_health(client: TestClient) -> None:
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert (health["working"], health["waiting"]) == (0, 0)


def test_it_is_ready_while_a_default_model_is_at_hand(
    client: TestClient, services: Services
) -> None:
    told = client.get("/ready")
    assert told.status_code == 200
    assert told.json() == {"ready": True, "closing": False, "speech": True, "transcription": True}
    services.settings = change(services.settings, tts_model="kokoro-v1.0", asr_model="gone")
    told = client.get("/ready")
    assert told.status_code == 503
    assert not told.json()["speech"]


def test_the_documentation_names_every_endpoint_and_loads_nothing(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    page = client.get("/docs").text
    assert set(schema["paths"]) == {
        "/v1/audio/speech",
        "/dev/captioned_speech",
        "/dev/read",
        "/dev/phonemize",
        "/dev/generate_from_phonemes",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/audio/diarization",
        "/v1/models",
        "/v1/models/{model_id}",
        "/v1/audio/voices",
        "/dev/models",
        "/dev/models/{model_id}",
        "/dev/models/{model_id}/load",
        "/dev/models/{model_id}/unload",
        "/dev/recommended-models",
        "/dev/queue",
        "/dev/queue/{request_id}",
        "/health",
        "/ready",
        "/metrics",
    }
    for path in schema["paths"]:
        assert path in page
    for field in ("response_format", "speed", "timestamp_granularities[]", "model_id"):
        assert f"<code>{field}</code>" in page
    assert "<script" not in page
    assert "http" not in page.replace("<!doctype html>", "").lower().split("</style>")[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/chat/completions", 404),
        ("GET", "/v1/audio/speech", 405),
        ("DELETE", "/v1/models", 405),
    ],
)
def test_what_is_not_there_is_told_in_openais_shape(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    if status == 405:
        assert answer.headers["allow"]


def test_health_and_queue_need_no_thread(client: TestClient) -> None:
    def take_all_threads() -> None:
        limiter = current_default_thread_limiter()
        for _ in range(int(limiter.available_tokens)):
            limiter.acquire_on_behalf_of_nowait(object())

    assert client.portal is not None
    client.portal.call(take_all_threads)
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/dev/queue").json()["requests"] == []
