"""What OmniVoice is given of a sample: a short recording and exactly the words in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modules.core_components.ai_models.engines.catalog_engine import read_sample
from modules.core_components.audio.speech_regions import speech_regions
from modules.core_components.errors import BadInputError, ModelMissingError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.text.languages import base_language
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Speech

SAMPLE_RATE_HZ = 24_000
# As the package: 3 to 10 seconds are recommended, more than 20 slow it down and clone worse.
LONGEST_S = 20.0
_CUT_TO_S = 15.0
_LEAST_CUT_S = 3.0
# Of the listening models the first that is here and knows the language.
_WHISPER_MODELS = ("whisper-base", "whisper-tiny.en")


def read_reference(
    sample: Sample, engine: Callable[[str], Any], cancel: CancelToken
) -> tuple[FloatArray, str]:
    """The recording, float32 [n] at 24 kHz, at most 20 s long, and its words.

    A longer one is cut in a pause. The words are the sample's own; of a part, and where there are
    none, Whisper writes them down (`engine` gives its handle). Raises BadInputError for a sample
    that is too short or without words, ModelMissingError where Whisper is needed and not here.
    """
    advice = _("Give OmniVoice at least 3 seconds of the voice, better 5 to 15.")
    speech = read_sample(sample.path, sample.name, SAMPLE_RATE_HZ, advice)
    words = sample.ref_text.strip()
    if speech.duration_s > LONGEST_S:
        speech, words = _cut(speech, cancel), ""
    if not words:
        words = _listen(speech, sample, engine, cancel)
    return speech.samples, words


def _cut(speech: Speech, cancel: CancelToken) -> Speech:
    """Its beginning, up to the last pause within 15 seconds."""
    ends = [end for _unused, end in speech_regions(speech, cancel) if end <= _CUT_TO_S]
    end_s = ends[-1] if ends and ends[-1] >= _LEAST_CUT_S else _CUT_TO_S
    return Speech(speech.samples[: int(end_s * SAMPLE_RATE_HZ)], SAMPLE_RATE_HZ)


def _listen(
    speech: Speech, sample: Sample, engine: Callable[[str], Any], cancel: CancelToken
) -> str:
    language = base_language(sample.language)
    for model_id in _WHISPER_MODELS:
        whisper = engine(model_id)
        if language and whisper.languages and language not in whisper.languages:
            continue
        options = whisper.options_type(
            language=language or "auto", condition_on_previous_text=False
        )
        try:
            heard = whisper.transcribe(speech, options, no_progress, cancel)
        except ModelMissingError:
            continue
        words = " ".join(segment.text.strip() for segment in heard.segments).strip()
        if not words:
            raise BadInputError(
                _("No words were recognized in {name}.", name=sample.name),
                _("Write down what it says, or choose a clearer recording."),
                "voice",
            )
        return words
    raise ModelMissingError(
        _(
            "OmniVoice needs the words of {name}, and no listening model here can write them down.",
            name=sample.name,
        ),
        _("Write down what the sample says, or download Whisper base on the Models tab."),
    )
