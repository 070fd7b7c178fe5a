"""The official OpenAI client, unchanged, over a real port."""

from __future__ import annotations

import io
import threading
from functools import partial
from pathlib import Path
from typing import Literal

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

from modules.api import streaming as api_context
from modules.core_components.audio.encode import RATE_HZ
from modules.core_components.audio.files import read_speech
from modules.tools.services import Services
from modules.ui.server import create_app
from tests.api.conftest import served
from tests.api.test_leaving import LongSpeech
from tests.api.test_speech import decoded, unfilled
from tests.api.test_transcription import WAV
from tests.helpers.fakes import SINE, SineEngine
from tests.helpers.waiting import eventually

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: tuple[Format, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
TEXT = "Seven clocks were ticking"
RECORDING = ("a.wav", WAV)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("fmt", FORMATS)
def test_speech_in_six_formats(official: OpenAI, fmt: Format, whole: bool) -> None:
    def spoken(response_format: Format) -> bytes:
        return official.audio.speech.create(
            model="tts-1",
            voice="alloy",
            input=TEXT,
            response_format=response_format,
            extra_body={"stream": False, "seed": 7} if whole else {"seed": 7},
        ).content

    samples = len(spoken("pcm")) // 2
    heard = decoded(spoken(fmt), fmt)
    longer = round(heard.duration_s * RATE_HZ) - samples
    assert 0 <= longer <= unfilled(fmt, streamed=not whole)


def test_speech_arrives_while_it_is_made(
    official: OpenAI, engine: SineEngine, tmp_path: Path
) -> None:
    speech = LongSpeech(engine)
    with official.audio.speech.with_streaming_response.create(
        model=SINE, voice="high", input=TEXT, response_format="pcm"
    ) as answer:
        first = next(answer.iter_bytes(1024))
        made = speech.made
    assert first
    assert made < 20


def test_speech_into_a_file(official: OpenAI, tmp_path: Path) -> None:
    with official.audio.speech.with_streaming_response.create(
        model=SINE, voice="low", input=TEXT, response_format="flac", speed=1.5
    ) as answer:
        answer.stream_to_file(tmp_path / "a.flac")
    assert read_speech(tmp_path / "a.flac").sample_rate_hz == RATE_HZ


def test_transcription_in_five_formats(official: OpenAI) -> None:
    create = official.audio.transcriptions.create
    assert create(model="whisper-1", file=RECORDING).text == "Buon giorno. Come stai?"
    assert "Buon giorno." in create(model="whisper-1", file=RECORDING, response_format="text")
    assert "-->" in create(model="whisper-1", file=RECORDING, response_format="srt")
    assert create(model="whisper-1", file=RECORDING, response_format="vtt").startswith("WEBVTT")
    whole = create(
        model="whisper-1",
        file=io.BytesIO(WAV),
        language="it",
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert whole.language == "italian"
    assert whole.words is not None
    assert [word.word for word in whole.words] == ["Buon", "giorno.", "Come", "stai?"]
    assert whole.segments is not None
    assert whole.segments[1].text == "Come stai?"


def test_transcription_that_arrives_while_it_is_heard(official: OpenAI) -> None:
    events = list(
        official.audio.transcriptions.create(model="whisper-1", file=RECORDING, stream=True)
    )
    *deltas, done = events
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert done.text == "Buon giorno. Come stai?"
    said = [event.delta for event in deltas if isinstance(event, TranscriptionTextDeltaEvent)]
    assert said == ["Buon giorno.", " Come stai?"]


def test_translation(official: OpenAI) -> None:
    create = official.audio.translations.create
    assert create(model="whisper-1", file=RECORDING).text == "Good morning. How are you?"
    assert "morning" in create(model="whisper-1", file=RECORDING, response_format="text")
    assert "-->" in create(model="whisper-1", file=RECORDING, response_format="srt")
    assert create(model="whisper-1", file=RECORDING, response_format="vtt").startswith("WEBVTT")
    whole = create(model="whisper-1", file=RECORDING, response_format="verbose_json")
    assert whole.segments is not None
    assert whole.segments[0].text == "Good morning."


def test_models(official: OpenAI) -> None:
    ids = [model.id for model in official.models.list()]
    assert {SINE, "tts-1", "whisper-1"} <= set(ids)
    assert all(official.models.retrieve(name).id == name for name in ids)


def test_errors_are_of_the_right_class(official: OpenAI, engine: SineEngine) -> None:
    create = official.audio.speech.create
    with pytest.raises(openai.BadRequestError) as bad:
        create(model="tts-1", voice="nobody", input=TEXT)
    assert bad.value.param == "voice"
    assert bad.value.code == "voice_not_found"
    with pytest.raises(openai.BadRequestError):
        create(model="tts-1", voice="alloy", input=" ")
    with pytest.raises(openai.NotFoundError):
        create(model="nonsense-9", voice="alloy", input=TEXT)
    with pytest.raises(openai.NotFoundError):
        official.models.retrieve("nonsense-9")
    with pytest.raises(openai.BadRequestError):
        official.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"nothing"))
    with pytest.raises(openai.BadRequestError) as unstreamable:
        official.audio.transcriptions.create(
            model="whisper-1", file=RECORDING, response_format="srt", stream=True
        )
    assert unstreamable.value.param == "stream"
    LongSpeech(engine, fails_after=0)
    with pytest.raises(openai.InternalServerError) as failed:
        create(model="tts-1", voice="alloy", input=TEXT)
    assert failed.value.status_code == 503


def test_a_full_line_is_a_rate_limit(official: OpenAI, engine: SineEngine) -> None:
    engine.may_speak.clear()
    say = partial(official.audio.speech.create, model="tts-1", voice="alloy", input=TEXT)
    clients = [threading.Thread(target=say) for _ in range(api_context.AT_ONCE + 1)]
    for client in clients:
        client.start()
    queue = f"{official.base_url}".replace("/v1/", "/dev/queue")
    eventually(lambda: len(httpx.get(queue).json()["requests"]) == len(clients))
    (first, *_) = httpx.get(queue).json()["requests"]
    with pytest.raises(openai.RateLimitError) as full:
        say()
    assert int(full.value.response.headers["retry-after"]) > 0
    assert full.value.request_id
    with pytest.raises(openai.ConflictError):
        say(extra_headers={"X-Request-Id": first["id"]})
    engine.may_speak.set()
    for client in clients:
        client.join(20)


def test_speech_that_breaks_off_is_an_error(official: OpenAI, engine: SineEngine) -> None:
    LongSpeech(engine, fails_after=2)
    with (
        pytest.raises(Exception, match="incomplete chunked read"),
        official.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=TEXT, response_format="pcm"
        ) as answer,
    ):
        answer.read()


def test_the_key(services: Services) -> None:
    with served(create_app(services, api_key="right")) as address:
        for key in ("wrong", "right"):
            with OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as client:
                if key == "right":
                    assert client.models.list().data
                    continue
                with pytest.raises(openai.AuthenticationError):
                    client.models.list()
