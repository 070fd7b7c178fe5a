"""Clients that leave, speech that breaks off, and more clients than there is room for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from modules.api import streaming as api_context
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Segment, Speech
from modules.tools.services import Services
from tests.api.listening import Listener
from tests.api.test_transcription import WAV
from tests.helpers.fakes import RATE_HZ, SineEngine
from tests.helpers.waiting import eventually

PIECES = 400
PIECE_S = 0.05
BODY = {"input": "one two three", "voice": "high", "response_format": "pcm"}


class LongSpeech:
    """In an engine's place: PIECES pieces, each some time in the making; counts what it made."""

    def __init__(self, engine: SineEngine, fails_after: int = PIECES) -> None:
        self.made = 0
        self.closed = threading.Event()
        self._fails_after = fails_after
        engine.stream = self.stream  # type: ignore[method-assign]

    def stream(
        self, text: str, voice: object, options: object, cancel: CancelToken
    ) -> Iterator[Speech]:
        return self._spoken()

    def _spoken(self) -> Iterator[Speech]:
        try:
            for _ in range(PIECES):
                if self.made >= self._fails_after:
                    raise StudioError("The engine broke.", "Load it again.")
                time.sleep(PIECE_S)
                self.made += 1
                yield Speech(np.full(RATE_HZ // 10, 0.1, np.float32), RATE_HZ)
        finally:
            self.closed.set()


def made_after_leaving(speech: LongSpeech) -> int:
    """How many pieces are still begun once the client has gone."""
    at_once = speech.made
    assert speech.closed.wait(5)
    assert speech.made < PIECES
    time.sleep(3 * PIECE_S)
    return speech.made - at_once


def test_who_leaves_a_stream_stops_the_computing(address: str, engine: SineEngine) -> None:
    speech = LongSpeech(engine)
    with httpx.stream("POST", f"{address}/v1/audio/speech", json=BODY, timeout=30) as answer:
        assert answer.status_code == 200
        assert next(answer.iter_raw())
    assert made_after_leaving(speech) <= 2


def test_who_leaves_a_whole_answer_stops_the_computing(address: str, engine: SineEngine) -> None:
    speech = LongSpeech(engine)
    timeout = httpx.Timeout(30, read=0.5)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{address}/v1/audio/speech", json={**BODY, "stream": False}, timeout=timeout)
    assert speech.made > 0
    assert made_after_leaving(speech) <= 2


def test_a_piece_that_fails_breaks_the_connection(address: str, engine: SineEngine) -> None:
    speech = LongSpeech(engine, fails_after=3)
    received: list[bytes] = []
    with httpx.stream("POST", f"{address}/v1/audio/speech", json=BODY, timeout=30) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(answer.iter_raw())
    assert speech.made == 3
    assert len(b"".join(received)) > 0
    assert httpx.get(f"{address}/health").json()["working"] == 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_before_the_first_sound_is_told(
    address: str, engine: SineEngine, stream: bool
) -> None:
    LongSpeech(engine, fails_after=0)
    answer = httpx.post(f"{address}/v1/audio/speech", json={**BODY, "stream": stream})
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "The engine broke. Load it again."
    assert answer.json()["error"]["type"] == "server_error"
    assert answer.headers["retry-after"]


def test_an_unforeseen_failure_tells_nothing_of_the_inside(
    address: str, engine: SineEngine
) -> None:
    def broken(*_: Any) -> Iterator[Speech]:
        raise ZeroDivisionError("secret path")

    engine.stream = broken  # type: ignore[method-assign]
    answer = httpx.post(f"{address}/v1/audio/speech", json=BODY)
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "secret" not in answer.text


def test_a_full_line_says_when_to_come_again(address: str, engine: SineEngine) -> None:
    room = api_context.AT_ONCE + 1  # the fixture lets one wait
    engine.may_speak.clear()
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.post(f"{address}/v1/audio/speech", json=BODY, timeout=30))

    def busy() -> tuple[int, int]:
        health = httpx.get(f"{address}/health").json()
        return health["working"], health["waiting"]

    clients = [threading.Thread(target=ask) for _ in range(room)]
    for client in clients:
        client.start()
    eventually(lambda: busy() == (api_context.AT_ONCE, 1))
    refused = httpx.post(f"{address}/v1/audio/speech", json=BODY)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert httpx.get(f"{address}/v1/models").status_code == 200
    engine.may_speak.set()
    for client in clients:
        client.join(20)
    assert [answer.status_code for answer in answers] == [200] * room
    eventually(lambda: busy() == (0, 0))


def test_who_leaves_the_line_gives_up_the_place(address: str, engine: SineEngine) -> None:
    engine.may_speak.clear()
    timeout = httpx.Timeout(30, read=0.7)
    url = f"{address}/v1/audio/speech"

    def ask() -> None:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=BODY, timeout=timeout)

    clients = [threading.Thread(target=ask) for _ in range(api_context.AT_ONCE + 1)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(20)
    health = f"{address}/health"
    eventually(lambda: httpx.get(health).json()["working"] == 0, 3)
    assert httpx.get(health).json()["waiting"] == 0


def test_health_answers_while_others_speak(address: str, engine: SineEngine) -> None:
    LongSpeech(engine)
    with httpx.stream("POST", f"{address}/v1/audio/speech", json=BODY, timeout=30) as answer:
        arriving = answer.iter_raw()  # given up, it would close the connection
        assert next(arriving)
        with httpx.Client() as client:
            client.get(f"{address}/health")
            start = time.monotonic()
            for _ in range(10):
                assert client.get(f"{address}/health").json()["working"] == 1
            assert (time.monotonic() - start) / 10 < 0.1


class LongListening:
    """In a listener's place: PIECES segments, each some time in the making."""

    def __init__(self, listener: Listener) -> None:
        self.made = 0
        listener._segments = self._heard  # type: ignore[method-assign]

    def _heard(self, duration_s: float, options: object, cancel: CancelToken) -> Iterator[Segment]:
        for number in range(PIECES):
            cancel.raise_if_cancelled()
            time.sleep(PIECE_S)
            self.made += 1
            yield Segment("Ciao.", number / 100, (number + 1) / 100)


def test_who_leaves_a_transcription_stops_the_listening(
    address: str, services: Services, listener: Listener
) -> None:
    listening = LongListening(listener)
    url = f"{address}/v1/audio/transcriptions"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, files={"file": ("a.wav", WAV)}, timeout=httpx.Timeout(30, read=1.0))
    at_once = listening.made
    assert at_once > 0
    eventually(lambda: httpx.get(f"{address}/health").json()["working"] == 0, 2)
    assert listening.made - at_once <= 2
    cache = services.settings.cache_folder
    eventually(lambda: not list(cache.glob("recording-*")))


def test_who_leaves_a_streamed_transcription_stops_the_listening(
    address: str, services: Services, listener: Listener
) -> None:
    listening = LongListening(listener)
    url = f"{address}/v1/audio/transcriptions"
    form = {"files": {"file": ("a.wav", WAV)}, "data": {"stream": "true"}}
    with httpx.stream("POST", url, **form, timeout=30) as answer:
        assert "Ciao." in next(answer.iter_lines())
    at_once = listening.made
    eventually(lambda: httpx.get(f"{address}/health").json()["working"] == 0, 2)
    assert listening.made - at_once <= 2
    eventually(lambda: not list(services.settings.cache_folder.glob("recording-*")))
