"""What a sample says, by the best listener that is here, in Kokoro's phonemes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.errors import ModelMissingError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import Segment, Speech

# The first knows every language that Kokoro reads; the second is there whenever a voice is fitted.
_LISTENERS = ("whisper-base", "whisper-tiny.en")
# A language that was guessed with less certainty may be any other.
_CERTAIN = 0.5


@dataclass(frozen=True)
class Heard:
    """What a listener understood of a sample: `segments` with word times, and how to turn words
    of their language into Kokoro's phonemes."""

    segments: Sequence[Segment]
    phonemize: Callable[[str], str]


def heard_words(
    engine: Callable[[str], Any],
    language: str,
    phonemes: Callable[[str, str], str],
    cancel: CancelToken,
    speech: Speech,
) -> Heard:
    """The words of `speech`; none where no listener is here or Kokoro cannot read its language.

    `engine` gives the handle of a model; `language` is an ISO 639-1 code or "" to find it out;
    `phonemes` takes one of Kokoro's languages and a text.
    """
    for model_id in _LISTENERS:
        listener = engine(model_id)
        known = listener.languages
        if language and known and language not in known:
            continue
        options = listener.options_type(
            language=language or "auto", word_timestamps=True, condition_on_previous_text=False
        )
        try:
            transcription = listener.transcribe(speech, options, no_progress, cancel)
        except ModelMissingError:
            continue
        info = transcription.info
        code = kokoro_language(info.language)
        segments = tuple(transcription.segments)
        if not code or (not language and info.language_probability < _CERTAIN):
            break
        return Heard(segments, partial(phonemes, code))
    return Heard((), partial(phonemes, "en-us"))


def kokoro_language(iso: str) -> str:
    """Kokoro's code for an ISO 639-1 code, the first of several; "" where it has none."""
    return next((code for code in LANGUAGES if code.split("-")[0] == iso), "")
