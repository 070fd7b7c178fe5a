"""What a fit is given: its parameters and the transcript of the sample. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.errors import ModelMissingError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import Segment, Speech


@dataclass(frozen=True)
class FitOptions:
    """Every parameter of a fit, the weights of its terms among them.

    Where the defaults come from is in docs/voice_fit_study.md.
    """

    seed: int = 0
    steps: int = 14
    sentences_per_step: int = 2
    from_match: int = 1  # start from the instant match; 0: from the nearest stock voice
    sentences: int = 8  # how many to speak, the sample's own among them
    learning_rate: float = 0.12  # in standard deviations of the stock voices
    layer_rate: float = 0.5  # learning rate of the layers' own styles, relative
    campplus: float = 0.8  # the distance by CAM++
    ge2e: float = 0.0  # the distance by GE2E, which judges a fit that does not follow it
    timbre: float = 0.0  # the timbre encoder's distance
    spectrum: float = 0.2  # long-term spectrum
    envelope: float = 0.2  # the spectral envelope, sound by sound (`envelope_distance`)
    pitch: float = 0.15  # mean and spread of log pitch
    pitch_share: float = 0.6  # how far of the way to the sample's pitch to aim
    rhythm: float = 0.3  # durations stay near the starting voice's
    content: float = 1.0  # what Whisper understands stays near the starting voice's
    guard_content: float = 2.0  # the same, when the guard chooses the strength
    pull: float = 0.04  # the shared style stays near the stock voices
    layer_pull: float = 0.06  # the layers' own styles stay near the shared one
    held_out: float = 0.15  # share of the sample kept for the final figure
    threads: int = 2  # sentences worked on at once; does not change the result

    def shaping(self) -> dict[str, Any]:
        """All that the result depends on, as plain values, for the keys of prompts and fits."""
        values = dataclasses.asdict(self)
        del values["threads"]
        values["ear"] = values.pop("timbre")  # its name in the keys made so far
        return values


# The first knows every language that Kokoro reads; the second is there whenever a voice is fitted.
_WHISPER_MODELS = ("whisper-base", "whisper-tiny.en")
# A language that was guessed with less certainty may be any other.
_CERTAIN = 0.5


@dataclass(frozen=True)
class TranscribedSample:
    """A sample's transcript: `segments` with word times, and the function that turns words of their
    language into Kokoro's phonemes."""

    segments: Sequence[Segment]
    phonemize: Callable[[str], str]


def transcribe_sample(
    engine: Callable[[str], Any],
    language: str,
    phonemes: Callable[[str, str], str],
    cancel: CancelToken,
    speech: Speech,
) -> TranscribedSample:
    """The words of `speech`; none without a Whisper model or where Kokoro cannot read its language.

    `engine` gives the handle of a model; `language` is an ISO 639-1 code or "" to find it out;
    `phonemes` takes one of Kokoro's languages and a text.
    """
    for model_id in _WHISPER_MODELS:
        whisper = engine(model_id)
        known = whisper.languages
        if language and known and language not in known:
            continue
        options = whisper.options_type(
            language=language or "auto", word_timestamps=True, condition_on_previous_text=False
        )
        try:
            transcription = whisper.transcribe(speech, options, no_progress, cancel)
        except ModelMissingError:
            continue
        info = transcription.info
        code = get_kokoro_language(info.language)
        segments = tuple(transcription.segments)
        if not code or (not language and info.language_probability < _CERTAIN):
            break
        return TranscribedSample(segments, partial(phonemes, code))
    return TranscribedSample((), partial(phonemes, "en-us"))


def get_kokoro_language(iso: str) -> str:
    """Kokoro's code for an ISO 639-1 code, the first of several; "" where it has none."""
    return next((code for code in LANGUAGES if code.split("-")[0] == iso), "")
