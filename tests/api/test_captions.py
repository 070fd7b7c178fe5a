"""POST /dev/captioned_speech: sound with the times of its words."""

from __future__ import annotations

import dataclasses
import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from modules.core_components.audio.encode import RATE_HZ, STREAM_FORMATS
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, Word
from tests.api.test_leaving import LongSpeech, made_after_leaving
from tests.helpers.fakes import RATE_HZ as ENGINE_HZ
from tests.helpers.fakes import SINE, SineEngine

CAPTIONED, SPEECH = "/dev/captioned_speech", "/v1/audio/speech"
TEXT = "Seven clocks, ticking"
PIECE_S = 0.5


class WordySpeech:
    """In an engine's place: each word in a piece of its own, said after a quarter of it."""

    def __init__(self, engine: SineEngine, fails_after: int = 100) -> None:
        self._fails_after = fails_after
        engine.stream = self.stream  # type: ignore[method-assign]

    def stream(
        self, text: str, voice: object, options: object, cancel: CancelToken
    ) -> Iterator[Speech]:
        return self._spoken(text)

    def _spoken(self, text: str) -> Iterator[Speech]:
        noise = np.random.default_rng(1).normal(scale=0.1, size=int(PIECE_S * ENGINE_HZ))
        for number, word in enumerate(text.split()):
            if number >= self._fails_after:
                raise StudioError("The engine broke.", "Load it again.")
            said = Word(word, PIECE_S / 4, PIECE_S)
            yield Speech(noise.astype(np.float32), ENGINE_HZ, (said,))


@pytest.fixture(autouse=True)
def words(engine: SineEngine) -> WordySpeech:
    return WordySpeech(engine)


def body(**changes: Any) -> dict[str, Any]:
    return {"model": SINE, "input": TEXT, "voice": "high", **changes}


def lines(client: TestClient, **changes: Any) -> list[dict[str, Any]]:
    answer = client.post(CAPTIONED, json=body(**changes))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def expected_words() -> list[dict[str, Any]]:
    return [
        {"word": word, "start_time": (i + 0.25) * PIECE_S, "end_time": (i + 1) * PIECE_S}
        for i, word in enumerate(TEXT.split())
    ]


@pytest.mark.parametrize("fmt", STREAM_FORMATS)
def test_the_lines_hold_the_stream_and_every_words_time(client: TestClient, fmt: str) -> None:
    said = lines(client, response_format=fmt)
    assert [word for line in said for word in line["timestamps"]] == expected_words()
    assert {line["audio_format"] for line in said} == {fmt}
    sound = b"".join(b64decode(line["audio"]) for line in said)
    plain = client.post(SPEECH, json=body(response_format=fmt, stream=True)).content
    if fmt == "opus":  # each stream has a serial number of its own
        assert read_speech(sound).duration_s == read_speech(plain).duration_s
    else:
        assert sound == plain


def test_a_line_for_each_piece_with_its_own_word(client: TestClient) -> None:
    said = lines(client, response_format="pcm")
    spoken = [line for line in said if line["timestamps"]]
    assert [line["timestamps"][0]["word"] for line in spoken] == TEXT.split()
    assert all(line["audio"] for line in spoken)


@pytest.mark.parametrize("fmt", ["wav", "mp3"])
def test_the_whole_in_one_object(client: TestClient, fmt: str) -> None:
    answer = client.post(CAPTIONED, json=body(response_format=fmt, stream=False))
    assert answer.headers["content-type"] == "application/json"
    whole = answer.json()
    assert whole["timestamps"] == expected_words()
    assert whole["audio_format"] == fmt
    seconds = PIECE_S * len(TEXT.split())
    assert read_speech(b64decode(whole["audio"])).duration_s == pytest.approx(seconds, abs=0.001)


def test_a_piece_that_fails_ends_the_stream_with_an_error(
    client: TestClient, engine: SineEngine
) -> None:
    WordySpeech(engine, fails_after=2)
    *spoken, last = lines(client, response_format="pcm")
    assert [word["word"] for line in spoken for word in line["timestamps"]] == TEXT.split()[:2]
    assert last["error"]["message"] == "The engine broke. Load it again."
    assert last["error"]["type"] == "server_error"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"input": " "}, 400, "input"),
        ({"input": "a" * 501}, 400, "input"),
        ({"voice": "nobody"}, 400, "voice"),
        ({"model": "nonsense-9"}, 404, "model"),
        ({"response_format": "midi"}, 400, "response_format"),
    ],
)
def test_what_is_wrong_is_refused_before_the_first_line(
    client: TestClient, changes: dict[str, Any], status: int, param: str, stream: bool
) -> None:
    answer = client.post(CAPTIONED, json=body(stream=stream, **changes))
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param


def test_who_leaves_stops_the_computing(address: str, engine: SineEngine) -> None:
    speech = LongSpeech(engine)
    with httpx.stream("POST", f"{address}{CAPTIONED}", json=body(), timeout=30) as answer:
        assert next(answer.iter_lines())
    assert made_after_leaving(speech) <= 2


def test_an_engine_without_word_times_speaks_all_the_same(
    client: TestClient, engine: SineEngine
) -> None:
    del engine.stream  # type: ignore[method-assign]
    spoken = engine.stream

    def wordless(*arguments: Any) -> Iterator[Speech]:
        return (dataclasses.replace(piece, words=()) for piece in spoken(*arguments))

    engine.stream = wordless  # type: ignore[method-assign, assignment]
    said = lines(client, response_format="pcm")
    assert all(line["timestamps"] == [] for line in said)
    assert len(b"".join(b64decode(line["audio"]) for line in said)) > RATE_HZ
