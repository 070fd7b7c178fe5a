"""Odd servers: what a remote may do wrong, and what its user is told."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest

from modules.core_components.ai_models.engines.remote.connection import Call, Connection
from modules.core_components.ai_models.engines.remote.entries import entry_of
from modules.core_components.ai_models.engines.remote.health import TRY_AGAIN_S, RemoteHealth
from modules.core_components.ai_models.engines.remote.speech import (
    RemoteSpeaker,
    RemoteSpeechOptions,
)
from modules.core_components.audio.encode import encode_speech
from modules.core_components.errors import BadInputError, JobCancelled, RemoteError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.remotes import REMOTE_FAMILY, Remote, RemoteModel
from modules.core_components.values import Sample, Speech, VoicePrompt

KEY = "a-secret-key"
HTML = b"<html><body>Welcome to nginx!</body></html>"
TONE = Speech((0.3 * np.sin(np.arange(48_000) / 20)).astype(np.float32), 48_000)
Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def connection(answer: Answer, kind: str = "openai", clones: bool = False) -> Connection:
    speaks = RemoteModel(task="text-to-speech", voices={"nova": ""}, clones=clones)
    remote = Remote(url="https://far.example", kind=kind, models={"tts-1": speaks})
    return Connection("far", remote, lambda: KEY, httpx.MockTransport(answer))


def speaker(answer: Answer, kind: str = "openai", clones: bool = False) -> RemoteSpeaker:
    far = connection(answer, kind, clones)
    context: Any = None
    return RemoteSpeaker(entry_of("far", far.remote, "tts-1"), context, far, "tts-1")


def spoken(engine: RemoteSpeaker, text: str = "Good day.", **options: Any) -> list[Speech]:
    given = RemoteSpeechOptions(**options)
    return list(engine.stream(text, "nova", given, CancelToken()))


class Pieces(httpx.AsyncByteStream):
    """A body that comes piece by piece; `closed` once nobody listens any more."""

    def __init__(self, make: Callable[[], AsyncIterator[bytes]]) -> None:
        self._make = make
        self.closed = threading.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._make()

    async def aclose(self) -> None:
        self.closed.set()


def response(status: int, content: bytes) -> httpx.Response:
    """As it comes from a network: not read yet."""

    async def make() -> AsyncIterator[bytes]:
        yield content

    return httpx.Response(status, stream=Pieces(make))


def always(status: int, content: bytes) -> Answer:
    async def answer(request: httpx.Request) -> httpx.Response:
        return response(status, content)

    return answer


def streaming(stream: httpx.AsyncByteStream) -> Answer:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=stream)

    return answer


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, RemoteError, "does not accept the key"),
        (403, RemoteError, "does not accept the key"),
        (404, RemoteError, "does not have this: no model tts-1"),
        (500, RemoteError, "failed: no model tts-1"),
        (503, RemoteError, "is busy"),
        (429, RemoteError, "is busy"),
        (400, BadInputError, "refuses the request: no model tts-1"),
    ],
)
def test_a_refusal_is_told_in_its_own_words(status: int, kind: type[Exception], words: str) -> None:
    told = {"error": {"message": "no\nmodel tts-1"}}
    with pytest.raises(kind) as raised:
        spoken(speaker(always(status, json.dumps(told).encode())))
    assert type(raised.value) is kind
    assert words in str(raised.value)


@pytest.mark.parametrize("body", [HTML, b"", b"[1]", json.dumps({"error": f"not {KEY}"}).encode()])
def test_a_refusal_shows_neither_a_page_nor_the_key(body: bytes) -> None:
    with pytest.raises(RemoteError) as raised:
        spoken(speaker(always(500, body)))
    shown = f"{raised.value} {raised.value.details}"
    assert "nginx" not in shown
    assert KEY not in shown


def test_the_key_goes_to_the_server_and_not_where_it_redirects_to() -> None:
    asked: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(307, headers={"location": "https://other.example/v1/audio/speech"})

    with pytest.raises(
        RemoteError, match=r"on to other\.example, which the studio does not follow"
    ):
        spoken(speaker(answer))
    assert [request.url.host for request in asked] == ["far.example"]
    assert asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HTML, "no sound that can be read"),
        (b'{"ok": true}', "no sound that can be read"),
        (b"", "no sound that can be read"),
        (encode_speech(TONE, "wav")[:-1000], "it breaks off"),
        (encode_speech(Speech(TONE.samples[:0], 24_000), "wav"), "sent no sound"),
    ],
)
def test_an_answer_that_is_no_speech_is_an_error(content: bytes, words: str) -> None:
    with pytest.raises(RemoteError, match=words):
        spoken(speaker(always(200, content)))


def test_speech_of_any_rate_comes_at_24_khz_with_the_same_sound() -> None:
    pieces = spoken(speaker(always(200, encode_speech(TONE, "wav"))))
    samples = np.concatenate([piece.samples for piece in pieces])
    assert {piece.sample_rate_hz for piece in pieces} == {24_000}
    assert len(samples) == pytest.approx(24_000, abs=50)
    strongest_hz = np.argmax(np.abs(np.fft.rfft(samples))) * 24_000 / len(samples)
    assert strongest_hz == pytest.approx(48_000 / 20 / 2 / np.pi, abs=2)


def test_pieces_are_handed_on_while_more_come() -> None:
    may_end = threading.Event()

    async def make() -> AsyncIterator[bytes]:
        content = encode_speech(TONE, "wav")
        yield content[:30_000]
        while not may_end.is_set():
            await asyncio.sleep(0.01)
        yield content[30_000:]

    pieces = speaker(streaming(Pieces(make))).stream(
        "Good day.", "nova", RemoteSpeechOptions(), CancelToken()
    )
    assert len(next(pieces).samples) > 0
    may_end.set()
    assert sum(len(piece.samples) for piece in pieces) > 0


def test_an_endless_answer_is_cut_off() -> None:
    async def make() -> AsyncIterator[bytes]:
        yield encode_speech(TONE, "wav")[:40] + b"\xff\xff\xff\xff"
        while True:
            await asyncio.sleep(0)
            yield b"\0" * 1_000_000

    stream = Pieces(make)
    with pytest.raises(RemoteError, match="more than such an answer can have"):
        spoken(speaker(streaming(stream)))
    assert stream.closed.wait(2)


def test_an_answer_that_breaks_off_is_an_error() -> None:
    async def make() -> AsyncIterator[bytes]:
        yield encode_speech(TONE, "wav")[:30_000]
        raise httpx.RemoteProtocolError("peer closed connection")

    with pytest.raises(RemoteError, match="broke off"):
        spoken(speaker(streaming(Pieces(make))))


@pytest.mark.parametrize("when", ["before the answer", "within the answer"])
def test_a_cancel_closes_the_connection(when: str) -> None:
    begun, left = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            left.set()
            raise

    async def make() -> AsyncIterator[bytes]:
        yield encode_speech(TONE, "wav")[:1000]
        await wait()

    async def answer(request: httpx.Request) -> httpx.Response:
        if when == "before the answer":
            await wait()
        return httpx.Response(200, stream=Pieces(make))

    cancel = CancelToken()
    threading.Thread(target=lambda: begun.wait(10) and cancel.cancel(), daemon=True).start()
    started = time.monotonic()
    with pytest.raises(JobCancelled):
        list(speaker(answer).stream("Good day.", "nova", RemoteSpeechOptions(), cancel))
    assert left.wait(2)
    assert time.monotonic() - started < 30  # it did not wait for the answer


def test_leaving_the_speech_closes_the_connection() -> None:
    async def make() -> AsyncIterator[bytes]:
        yield encode_speech(TONE, "wav")[:30_000]
        await asyncio.sleep(60)

    stream = Pieces(make)
    pieces = speaker(streaming(stream)).stream(
        "Good day.", "nova", RemoteSpeechOptions(), CancelToken()
    )
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert stream.closed.wait(2)


def test_a_server_that_is_not_there_or_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        far = Connection("far", Remote(url=url, timeout_s=1), lambda: None)
        with pytest.raises(RemoteError, match="sent nothing for 1 s"):
            far.ask(Call("/v1/models"), CancelToken())
    with pytest.raises(RemoteError, match="cannot be reached"):
        far.ask(Call("/v1/models"), CancelToken())


def test_each_kind_of_server_gets_the_fields_that_it_knows() -> None:
    bodies: dict[str, dict[str, Any]] = {}

    def noting(kind: str) -> Answer:
        async def answer(request: httpx.Request) -> httpx.Response:
            bodies[kind] = json.loads(request.content)
            return response(200, encode_speech(TONE, "wav"))

        return answer

    for kind in ("studio", "vllm", "openai"):
        spoken(speaker(noting(kind), kind), language="de-AT", seed=7)
    plain = {"model": "tts-1", "input": "Good day.", "voice": "nova", "response_format": "wav"}
    streamed = {**plain, "stream_format": "audio"}
    assert bodies["openai"] == streamed
    assert bodies["vllm"] == {**streamed, "language": "German"}
    assert bodies["studio"] == {**streamed, "stream": True, "language": "de-AT", "seed": 7}
    spoken(speaker(noting("slow"), "vllm"), speed=0.5)
    assert bodies["slow"] == {**plain, "language": "English", "speed": 0.5}


def test_a_sample_is_sent_when_it_is_spoken_with_and_not_when_it_is_prepared(
    tmp_path: Any,
) -> None:
    bodies: list[dict[str, Any]] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return response(200, encode_speech(TONE, "wav"))

    path = tmp_path / "anna.wav"
    path.write_bytes(encode_speech(TONE, "wav"))
    engine = speaker(answer, "vllm", clones=True)
    sample = Sample("anna", path, "0", 1.0, "Good day, I am Anna.", "en")
    voice = engine.prepare_voice(sample, no_progress, CancelToken())
    assert not bodies
    assert list(engine.stream("Hi.", voice, RemoteSpeechOptions(), CancelToken()))
    (body,) = bodies
    assert body["ref_audio"].startswith("data:audio/wav;base64,")
    assert body["ref_text"] == "Good day, I am Anna."
    assert "voice" not in body
    other = VoicePrompt("k", REMOTE_FAMILY, "remote:other/tts-1", "remote", voice.tensors)
    with pytest.raises(BadInputError, match="prepared for remote:other"):
        engine.stream("Hi.", other, RemoteSpeechOptions(), CancelToken())
    with pytest.raises(BadInputError, match="cannot clone"):
        speaker(answer).stream("Hi.", voice, RemoteSpeechOptions(), CancelToken())


def test_a_failure_is_remembered_for_a_short_time() -> None:
    now = [0.0]
    health = RemoteHealth(lambda: now[0])
    with pytest.raises(RemoteError), health.watched():
        raise RemoteError("far cannot be reached.")
    assert health.problem == "far cannot be reached."
    now[0] = TRY_AGAIN_S + 1
    assert health.problem == ""
    with pytest.raises(RemoteError), health.watched():
        raise RemoteError("far cannot be reached.")
    with health.watched():
        pass
    assert health.problem == ""
