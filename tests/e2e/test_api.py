"""The API of the real studio, with real weights, spoken to by the official OpenAI client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from openai import OpenAI

from modules.core_components.audio.stream_encode import wav_header
from modules.core_components.text.word_errors import word_error_rate
from tests.e2e.conftest import StudioProcess

pytestmark = pytest.mark.e2e

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: tuple[Format, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SENTENCE = (
    "The old lighthouse stood at the end of a narrow road, far from the nearest village, "
    "and every evening the keeper climbed the winding stairs."
)
MOST_WORD_ERRORS = 0.05


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
