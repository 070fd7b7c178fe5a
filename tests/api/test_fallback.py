"""What a program is told when another model than the one it asked for answers."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from modules.api.streaming import FALLBACK_MODEL, FALLBACK_NOTE
from modules.tools.services import Services
from tests.api.listening import LISTENER
from tests.helpers.fakes import SINE

# Of the catalog, and not downloaded.
GONE, UNHEARD = "kokoro-v0.19", "whisper-tiny"


@pytest.fixture(autouse=True)
def fallback(services: Services) -> None:
    services.change_settings({"fallback_tts_model": SINE, "fallback_asr_model": LISTENER})


def body(**changes: str) -> dict[str, object]:
    return {"model": GONE, "input": "Good day", "voice": "high", "seed": 1, **changes}


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/dev/captioned_speech"])
@pytest.mark.parametrize("stream", [True, False])
def test_speech_says_in_its_headers_who_speaks(client: TestClient, path: str, stream: bool) -> None:
    told = client.post(path, json={**body(), "stream": stream})
    assert told.status_code == 200
    assert told.headers[FALLBACK_MODEL] == SINE
    assert told.headers[FALLBACK_NOTE].startswith("Kokoro 82M v0.19 is not installed")
    usual = client.post(path, json={**body(model=SINE), "stream": stream})
    assert usual.content == told.content
    assert FALLBACK_MODEL not in usual.headers


def test_a_voice_that_the_fallback_lacks_is_refused_and_one_of_openai_is_not(
    client: TestClient,
) -> None:
    answer = client.post("/v1/audio/speech", json=body(voice="af_heart"))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "voice"
    assert "sine-1 is used instead. But that one cannot do this" in error["message"]
    answer = client.post("/v1/audio/speech", json=body(voice="alloy"))
    assert (answer.status_code, answer.headers[FALLBACK_MODEL]) == (200, SINE)
    listed = client.get("/v1/audio/voices", params={"model": GONE}).json()
    assert listed["model"] == SINE
    assert client.post("/v1/audio/speech", json=body(model="kokoro-v0.91")).status_code == 404


@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_transcription_says_in_its_headers_who_listened(
    client: TestClient, services: Services, stream: str
) -> None:
    spoken = client.post("/v1/audio/speech", json=body(model=SINE, response_format="wav")).content
    answer = client.post(
        "/v1/audio/transcriptions",
        data={"model": UNHEARD, "stream": stream},
        files={"file": ("said.wav", spoken)},
    )
    assert answer.status_code == 200
    assert answer.headers[FALLBACK_MODEL] == LISTENER
    assert "Whisper tiny is not installed" in answer.headers[FALLBACK_NOTE]
    if stream == "false":
        assert json.loads(answer.content)["text"]
