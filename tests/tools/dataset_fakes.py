"""Recordings without speech, and a listener that hears words in them all the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.core_components.ai_models.engines.base import Transcription, TranscriptionInfo
from modules.core_components.ai_models.engines.options import option
from modules.core_components.audio.encode import audio_sha256
from modules.core_components.audio.files import write_speech
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.values import Segment, Speech, Word
from modules.tools.services import Services
from tests.helpers.fakes import fake_entry

COUNTER = "counter-1"
WORDS = ("One", "two", "three", "four", "five", "six", "seven", "eight", "nine.")


@dataclass(frozen=True)
class CounterOptions:
    language: str = option("auto", "Language", "Of the recording.")
    word_timestamps: bool = option(False, "Word times", "When each word is said.")


class CounterListener:
    """Hears a word every half second, another number in another recording, a stop after each nine.

    `asked` counts the windows it listened to.
    """

    model_id = COUNTER
    model_revision = "r1"
    label = "Counter 1"
    languages = ("en", "it")
    options_type = CounterOptions

    def __init__(self) -> None:
        self.asked = 0

    def transcribe(
        self, speech: Speech, options: CounterOptions, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        self.asked += 1
        begin = int(audio_sha256(speech)[:4], 16)
        words = tuple(
            Word(WORDS[(begin + index) % len(WORDS)], index / 2 + 0.1, index / 2 + 0.45, 0.9)
            for index in range(int(speech.duration_s * 2))
        )
        text = " ".join(word.text for word in words)
        progress(1.0, "Counted")
        info = TranscriptionInfo("en", 1.0, speech.duration_s, speech.duration_s)
        return Transcription(info, iter([Segment(text, 0.0, speech.duration_s, words)]))


def add_counter(services: Services) -> CounterListener:
    """Makes the studio listen with it."""
    listener = CounterListener()
    entry = fake_entry(COUNTER, "speech-to-text", ())
    services.asr.register_engine(COUNTER, lambda entry, context: listener, entry)
    return listener


def hum(path: Path, seconds: float = 9.0, rate_hz: int = 22_050) -> Path:
    """A recording whose sound depends on the file's name."""
    seed = int(hashlib.sha256(path.name.encode()).hexdigest()[:8], 16)
    noise = np.random.default_rng(seed).normal(scale=0.05, size=round(seconds * rate_hz))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_speech(path, Speech(noise.astype(np.float32), rate_hz))
    return path
