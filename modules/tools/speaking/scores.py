"""Scores of a take: speaker similarity, word error rate, levels, and what the figures mean."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.ai_models.engines.speaker_handle import SpeakerEncoderHandle
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.measure import loudness_lufs, peak, silence_fraction
from modules.core_components.audio.speech_regions import split_halves, trim_to_speech
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.speaker_scale import FIRST_ENCODER, speaker_scale
from modules.core_components.text.markup import without_markup
from modules.core_components.text.word_errors import normalize_words, word_error_rate
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Scores, Speech, Take
from modules.tools.services import Services

logger = logging.getLogger(__name__)

# Reading an hour back would take longer than speaking it did.
LONGEST_READ_BACK_S = 600.0
_FEW_WORDS, _LONG_TEXT = 10, 5_000


def score_speech(
    services: Services,
    speech: Speech,
    text: str,
    language: str,
    sample: Sample | None,
    cancel: CancelToken,
) -> Scores:
    """Scores speech against its text and its sample.

    A score whose model is not installed stays None and is logged; the take is kept all the same.
    """
    similarity, similarity_self, encoder = _similarity(services, speech, sample, cancel)
    heard, error_rate = read_back(services, speech, without_markup(text), language, cancel)
    return Scores(
        similarity=similarity,
        similarity_self=similarity_self,
        speaker_encoder=encoder,
        word_error_rate=error_rate,
        heard=heard,
        loudness_lufs=loudness_lufs(speech),
        peak=peak(speech),
        silence_fraction=silence_fraction(speech),
    )


def _similarity(
    services: Services, speech: Speech, sample: Sample | None, cancel: CancelToken
) -> tuple[float | None, float | None, str | None]:
    """The two similarities, and the encoder that measured them."""
    if sample is None:
        return None, None, None
    try:
        encoder = services.asr.get_speaker_encoder()
        recording = trim_to_speech(read_speech(sample.path))
        parts = (recording, *split_halves(recording), trim_to_speech(speech))
        target, first, second, spoken = (_embedded(encoder, part, cancel) for part in parts)
    except StudioError as error:
        logger.warning("No similarity score: %s", error)
        return None, None, None
    return _rounded(np.dot(spoken, target)), _rounded(np.dot(first, second)), encoder.model_id


def _embedded(
    encoder: SpeakerEncoderHandle[Any], speech: Speech, cancel: CancelToken
) -> FloatArray:
    cancel.raise_if_cancelled()
    return encoder.embed(speech)


def read_back(
    services: Services, speech: Speech, text: str, language: str, cancel: CancelToken
) -> tuple[str | None, float | None]:
    """The transcript of the default listening model, and its word error rate against `text`.

    (None, None), with a line in the log, if the model is missing or does not know the language.
    """
    if speech.duration_s > LONGEST_READ_BACK_S:
        logger.info("The take is too long to be transcribed (%.0f s)", speech.duration_s)
        return None, None
    try:
        listener = services.asr.get(services.settings.asr_model)
        language = language.split("-")[0]
        if language not in listener.languages:
            logger.info("%s does not know %s: no word error rate", listener.label, language)
            return None, None
        options: Any = parse_options(listener.options_type, {"language": language})
        running = listener.transcribe(speech, options, no_progress, cancel)
        heard = " ".join(segment.text.strip() for segment in running.segments)
    except StudioError as error:
        logger.warning("No word error rate: %s", error)
        return None, None
    return heard, _rounded(word_error_rate(text, heard, language))


def explain_similarity(scores: Scores) -> str:
    """The similarity in a sentence, between that of another speaker and the speaker's own."""
    if scores.similarity is None:
        return _("Similarity was not measured.")
    scale = speaker_scale(scores.speaker_encoder or FIRST_ENCODER)
    way = likeness_share(scores)
    words = (
        _("could be the same person")
        if way >= 0.85
        else _("close: clearly this kind of voice")
        if way >= 0.6
        else _("some likeness")
        if way >= 0.3
        else _("another voice")
    )
    return _(
        "{similarity:.2f}: {words}. (By {label} another speaker reaches about "
        "{other:.2f}, the speaker's own recordings {own_similarity:.2f}.)",
        similarity=scores.similarity,
        words=words,
        label=scale.label,
        other=scale.other,
        own_similarity=_own_similarity(scores),
    )


def likeness_share(scores: Scores) -> float:
    """The way from another speaker (0) to the speaker's own recordings (1); of a measured take."""
    scale = speaker_scale(scores.speaker_encoder or FIRST_ENCODER)
    assert scores.similarity is not None  # noqa: S101 - the callers asked
    return (scores.similarity - scale.other) / (_own_similarity(scores) - scale.other)


def _own_similarity(scores: Scores) -> float:
    scale = speaker_scale(scores.speaker_encoder or FIRST_ENCODER)
    return max(scores.similarity_self or scale.own, scale.other + 0.1)


@dataclass(frozen=True)
class HeardWords:
    """How well a take was understood: `different` of `words` words were heard as others."""

    words: int
    different: int

    @property
    def figure(self) -> str:
        """The share that was understood; of few words their number, since one changes much."""
        right = max(0, self.words - self.different)
        if self.words < _FEW_WORDS:
            return _("{right} of {words}", right=right, words=self.words)
        return f"{right / self.words:.0%}"

    @property
    def sentence(self) -> str:
        """The same in words."""
        if not self.different:
            return _("Every word was understood.")
        if self.different >= self.words:
            return _("No word was understood.")
        if self.different == 1:
            return _("One of {words} words was heard differently.", words=self.words)
        return _(
            "{different} of {words} words were heard differently.",
            different=self.different,
            words=self.words,
        )


def heard_words(take: Take) -> HeardWords | None:
    """The words of a take and how many differ in its transcript; None where it was not measured."""
    rate = take.scores.word_error_rate
    if rate is None:
        return None
    if len(take.text) > _LONG_TEXT:  # reading it all would take longer than showing it may
        words = len(take.text.split())
    else:
        words = len(normalize_words(without_markup(take.text), take.language)) or 1
    different = round(rate * words)
    # What differs is never rounded away.
    return HeardWords(words, max(different, 1) if rate else 0)


def explain_words(take: Take) -> str:
    """How well a take was understood, in a sentence."""
    heard = heard_words(take)
    return _("Not measured.") if heard is None else heard.sentence


def _rounded(value: float) -> float:
    return round(float(value), 4)
