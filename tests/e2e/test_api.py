"""The API of the real studio, with real weights, spoken to by the official OpenAI client."""

from __future__ import annotations

import json
import statistics
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import numpy as np
import pytest
from openai import OpenAI
from openai.types.audio import TranscriptionTextDoneEvent

from modules.core_components.ai_models import ASRManager, TTSManager
from modules.core_components.ai_models.engines.remote.entries import connect
from modules.core_components.ai_models.engines.remote.listening import RemoteListeningOptions
from modules.core_components.ai_models.engines.remote.survey import survey
from modules.core_components.audio.encode import wav_header
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.remotes import Remote
from modules.core_components.settings import change, load_settings
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import Speech
from tests.e2e.conftest import StudioProcess

pytestmark = pytest.mark.e2e

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: tuple[Format, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SENTENCE = (
    "The old lighthouse stood at the end of a narrow road, far from the nearest village, "
    "and every evening the keeper climbed the winding stairs."
)
MOST_WORD_ERRORS = 0.05
# Whisper lets some words begin in the pause before them.
MOST_SECONDS_OFF = 0.15


@pytest.fixture(scope="module")
def client(studio: StudioProcess) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{studio.url}/v1", api_key="none needed", timeout=300) as client:
        yield client


@pytest.mark.parametrize("fmt", FORMATS)
def test_what_is_spoken_is_read_back(client: OpenAI, fmt: Format) -> None:
    spoken = client.audio.speech.create(
        model="tts-1", voice="af_heart", input=SENTENCE, response_format=fmt
    ).content
    recording = wav_header(len(spoken)) + spoken if fmt == "pcm" else spoken
    heard = client.audio.transcriptions.create(
        model="whisper-1", file=(f"spoken.{fmt}", recording), language="en"
    )
    assert word_error_rate(SENTENCE, heard.text) <= MOST_WORD_ERRORS, heard.text


def test_a_second_studio_speaks_and_hears_through_this_one(
    studio: StudioProcess, tmp_path: Path
) -> None:
    empty = load_settings(tmp_path)
    far = connect(empty, "far", Remote(url=studio.url))
    remotes = {"far": survey(far, CancelToken())}
    settings = change(empty, remotes=remotes)
    speaker = TTSManager(settings).get("remote:far/kokoro-v1.0")
    assert "af_heart" in speaker.voices()
    options = speaker.options_type(language="en-us")
    pieces = list(speaker.stream(SENTENCE, "af_heart", options, CancelToken()))
    assert len(pieces) > 1
    heard = (
        ASRManager(settings)
        .get("remote:far/whisper-base")
        .transcribe(
            Speech(np.concatenate([piece.samples for piece in pieces]), speaker.sample_rate_hz),
            RemoteListeningOptions(word_timestamps=True),
            no_progress,
            CancelToken(),
        )
    )
    segments = list(heard.segments)
    text = " ".join(segment.text for segment in segments)
    assert word_error_rate(SENTENCE, text) <= MOST_WORD_ERRORS, text
    assert sum(len(segment.words) for segment in segments) >= len(SENTENCE.split()) - 1


def test_a_mix_speaks_and_its_words_have_times(client: OpenAI) -> None:
    spoken = client.audio.speech.create(
        model="kokoro",
        voice="af_bella(2)+af_sky(1)",
        input=SENTENCE,
        extra_body={"stream": False},
    ).content
    heard = client.audio.transcriptions.create(
        model="whisper-1",
        file=("spoken.mp3", spoken),
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert word_error_rate(SENTENCE, heard.text) <= MOST_WORD_ERRORS, heard.text
    assert heard.language == "english"
    assert heard.words is not None
    starts = [word.start for word in heard.words]
    assert starts == sorted(starts)
    assert heard.words[-1].end <= heard.duration
    assert abs(len(starts) - len(SENTENCE.split())) <= 1


def test_captions_name_every_word_where_it_is_heard(client: OpenAI, studio: StudioProcess) -> None:
    body = {"input": SENTENCE, "voice": "af_heart", "response_format": "mp3"}
    answer = httpx.post(f"{studio.url}/dev/captioned_speech", json=body, timeout=300)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    said = [word for line in lines for word in line["timestamps"]]
    assert [word["word"].strip(",.") for word in said] == SENTENCE.replace(",", "").strip(
        "."
    ).split()
    heard = client.audio.transcriptions.create(
        model="whisper-1",
        file=("spoken.mp3", b"".join(b64decode(line["audio"]) for line in lines)),
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert heard.words is not None
    assert len(heard.words) == len(said)
    late = [abs(a["start_time"] - b.start) for a, b in zip(said, heard.words, strict=True)]
    assert statistics.median(late) < MOST_SECONDS_OFF


def test_phonemes_are_spoken_and_heard_while_they_are_read_back(
    client: OpenAI, studio: StudioProcess
) -> None:
    with httpx.Client(base_url=studio.url, timeout=300) as http:
        shown = http.post("/dev/phonemize", json={"text": SENTENCE, "language": "en-us"}).json()
        body = {"phonemes": shown["phonemes"], "voice": "af_heart", "response_format": "wav"}
        spoken = http.post("/dev/generate_from_phonemes", json=body).content
        resident = http.get("/dev/models/kokoro-v1.0").json()["in_memory"]
    assert [copy["bytes"] > 100_000_000 for copy in resident] == [True]
    *_, done = client.audio.transcriptions.create(
        model="whisper-1", file=("spoken.wav", spoken), stream=True
    )
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert word_error_rate(SENTENCE, done.text) <= MOST_WORD_ERRORS, done.text
