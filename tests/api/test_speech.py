"""POST /v1/audio/speech on fakes: what sounds, and what is refused."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from modules.core_components.audio.encode import MEDIA_TYPES, RATE_HZ, STREAM_FORMATS
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.resample import resample
from modules.core_components.values import FloatArray, Speech
from modules.tools.jobs import register_job_kinds
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import read_take, speak
from modules.tools.voices.refinement import REFINE
from tests.helpers.fakes import MATCH, SINE, add_match, add_noise
from tests.helpers.fakes import RATE_HZ as ENGINE_HZ

TEXT = "Seven clocks were ticking in the dark room"


def unfilled(fmt: str, streamed: bool) -> int:
    """How many samples more than the speech a decoder gives at most: a frame is always whole, and
    neither ADTS nor an mp3 whose header went out long ago can say how much of the last is sound."""
    if fmt == "aac":
        return 1_023
    return 575 if fmt == "mp3" and streamed else 0


def body(**changes: Any) -> dict[str, Any]:
    return {"model": SINE, "input": TEXT, "voice": "high", "seed": 7, **changes}


def say(client: TestClient, **changes: Any) -> bytes:
    answer = client.post("/v1/audio/speech", json=body(**changes))
    assert answer.status_code == 200, answer.text
    return answer.content


def decoded(content: bytes, fmt: str) -> Speech:
    if fmt == "pcm":
        return Speech(np.frombuffer(content, "<i2").astype(np.float32) / 32768, RATE_HZ)
    return read_speech(content)


def take(services: Services, **changes: Any) -> FloatArray:
    """What the studio's own tool makes of the same request, at the API's rate."""
    request = SpeechRequest(TEXT, "high", "preset", SINE, seed=7, score=False, **changes)
    return resample(read_take(speak(services, request)).samples, ENGINE_HZ, RATE_HZ)


def refused(client: TestClient, status: int, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/audio/speech", json=body(**changes))
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fmt", STREAM_FORMATS)
def test_every_format_decodes_to_the_same_speech(
    client: TestClient, services: Services, fmt: str, stream: bool
) -> None:
    expected = take(services)
    answer = client.post("/v1/audio/speech", json=body(response_format=fmt, stream=stream))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPES[fmt]
    speech = decoded(answer.content, fmt)
    assert speech.sample_rate_hz == (48_000 if fmt == "opus" else RATE_HZ)
    heard = resample(speech.samples, speech.sample_rate_hz, RATE_HZ)
    assert 0 <= len(heard) - len(expected) <= unfilled(fmt, stream)
    same = np.corrcoef(heard[: len(expected)], expected)[0, 1]
    assert same > 0.98


def test_a_finished_file_says_its_length(client: TestClient) -> None:
    answer = client.post("/v1/audio/speech", json=body(response_format="wav", stream=False))
    content = answer.content
    assert answer.headers["content-length"] == str(len(content))
    assert struct.unpack("<I", content[4:8]) == (len(content) - 8,)
    assert struct.unpack("<I", content[40:44]) == (len(content) - 44,)
    flac = soundfile.info(io.BytesIO(say(client, response_format="flac", stream=False)))
    assert flac.frames == (len(content) - 44) // 2


def test_wav_is_finished_unless_it_is_asked_for_as_a_stream(client: TestClient) -> None:
    for stream, known in ((None, True), (True, False)):
        content = say(client, response_format="wav", stream=stream)
        (declared,) = struct.unpack("<I", content[40:44])
        assert declared == (len(content) - 44 if known else 0xFFFFFFFF)


def test_mp3_is_the_default_and_streamed(client: TestClient) -> None:
    answer = client.post("/v1/audio/speech", json={"input": TEXT, "model": "tts-1"})
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "content-length" not in answer.headers


def test_a_sample_speaks_at_once(client: TestClient, services: Services) -> None:
    add_noise(services, "Berta")
    assert say(client, voice="Berta", response_format="pcm") != say(client, response_format="pcm")
    names = {v["id"]: v["kind"] for v in client.get("/v1/audio/voices").json()["voices"]}
    assert names["Berta"] == "sample"


def test_a_voice_match_speaks_at_once_and_refined_later(
    client: TestClient, services: Services
) -> None:
    register_job_kinds(services)
    add_noise(services, "Berta")
    engine = add_match(services)
    engine.may_refine.clear()
    matched = say(client, voice="Berta", model=MATCH, response_format="pcm", seed=1)
    engine.may_refine.set()
    (job,) = services.jobs.list(kind=REFINE)
    assert services.jobs.wait(job.id, 10).state == "done"
    refined = say(client, voice="Berta", model=MATCH, response_format="pcm", seed=1)
    assert len(refined) == len(matched)
    assert refined != matched


@pytest.mark.parametrize("voice", ["alloy", "echo", "fable", "onyx", "nova", "shimmer", "verse"])
def test_openais_voices_speak(client: TestClient, voice: str) -> None:
    assert len(say(client, voice=voice, response_format="pcm")) > RATE_HZ


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd", "gpt-4o-mini-tts", "kokoro", SINE])
def test_models_by_openais_names(client: TestClient, model: str) -> None:
    assert say(client, model=model, response_format="pcm") == say(client, response_format="pcm")


def test_speed(client: TestClient) -> None:
    slow, fast = (say(client, response_format="pcm", speed=speed) for speed in (0.5, 2.0))
    assert len(slow) == pytest.approx(4 * len(fast), rel=0.01)


@pytest.mark.parametrize(
    ("changes", "param", "words"),
    [
        ({"input": " \n"}, "input", "no text"),
        ({"input": "a" * 501}, "input", "the limit is 500"),
        ({"voice": "nobody"}, "voice", "no voice 'nobody'"),
        ({"voice": "high(2)+nobody(1)"}, "voice", "no voice 'nobody'"),
        ({"voice": "high(+"}, "voice", "names no voice"),
        ({"voice": ""}, "voice", "no voice"),
        ({"speed": 3.0}, "speed", "between 0.5 and 2"),
        ({"speed": 0.1}, "speed", "0.25"),
        ({"speed": "fast"}, "speed", "number"),
        ({"response_format": "midi"}, "response_format", "mp3"),
        ({"stream_format": "ws"}, "stream_format", "audio"),
        ({"language": "tlh"}, "language", "does not speak"),
        ({"seed": -1}, "seed", "greater"),
        ({"input": None}, "input", "string"),
        ({"input": ["a"]}, "input", "string"),
    ],
)
def test_bad_input_is_refused_before_the_first_byte(
    client: TestClient, changes: dict[str, Any], param: str, words: str
) -> None:
    for stream in (True, False):
        error = refused(client, 400, stream=stream, **changes)
        assert error["type"] == "invalid_request_error"
        assert error["param"] == param
        assert words in error["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"null"])
def test_a_body_that_is_no_request_is_refused(client: TestClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/audio/speech", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_an_unknown_model_is_not_found(client: TestClient) -> None:
    error = refused(client, 404, model="nonsense-9")
    assert (error["param"], error["code"]) == ("model", "model_not_found")
    assert SINE in error["message"]
