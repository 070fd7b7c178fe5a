"""Transcribing the recordings of a dataset with word times, cached by content.

A long recording is transcribed in windows of some minutes, each cached as soon as it is done, so
that an interrupted build is resumed with the same result.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.engines.base import ASREngine
from modules.core_components.ai_models.engines.options import describe_options, parse_options
from modules.core_components.audio.encode import audio_sha256
from modules.core_components.audio.resample import resample
from modules.core_components.audio.speech_regions import speech_regions
from modules.core_components.dataset.cutting import joined_regions, listening_windows
from modules.core_components.dataset.known_text import spread
from modules.core_components.dataset.trimming import excerpt
from modules.core_components.dataset.words import (
    Region,
    fitted_to_speech,
    in_order,
    middle_s,
    unheard,
    whole_words,
    with_found,
)
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.values import Segment, Speech, Word
from modules.tools.models.model_names import find_model
from modules.tools.services import Services

logger = logging.getLogger(__name__)

_FORMAT = 1
# Speech of this length without a word is transcribed again, with a margin; neighbouring regions
# together, up to what Whisper takes at once.
_UNHEARD_S, _MARGIN_S = 0.4, 0.2
_JOINED_PAUSE_S, _TOGETHER_S = 1.0, 28.0
_RATE_HZ = 16_000  # of the models with word times


@dataclass(frozen=True)
class TranscribedWords:
    """The words of a recording and its regions of speech; seconds from its start."""

    words: tuple[Word, ...]
    speech: tuple[Region, ...]


@dataclass(frozen=True)
class Listener:
    """A listening model with the options that suit a dataset: word times, batches, no warm second
    tries, so that the same recording always gives the same words."""

    engine: ASREngine
    options: Mapping[str, Any]
    kept_in: Path

    def described(self) -> dict[str, Any]:
        """What the words depend on."""
        return {
            "listener": self.engine.model_id,
            "revision": self.engine.model_revision,
            "options": dict(self.options),
        }

    def transcribe(
        self, recording: Speech, progress: Progress, cancel: CancelToken
    ) -> TranscribedWords:
        """Raises what the engine raises, and JobCancelled."""
        samples = resample(recording.samples, recording.sample_rate_hz, _RATE_HZ)
        resampled = Speech(samples, _RATE_HZ)
        speech = speech_regions(resampled, cancel)
        words: list[Word] = []
        for window in listening_windows(speech, resampled.duration_s):
            share = scaled(progress, *(at_s / resampled.duration_s for at_s in window))
            words += self._words(resampled, window, share, cancel)
        words = self._transcribe_gaps(resampled, words, speech, cancel)
        return TranscribedWords(tuple(words), tuple(speech))

    def _transcribe_gaps(
        self,
        resampled: Speech,
        words: Sequence[Word],
        speech: Sequence[Region],
        cancel: CancelToken,
    ) -> list[Word]:
        """The words, and those of speech regions without a word, which are transcribed alone.

        Models pass over short phrases among others.
        """
        found = fitted_to_speech(in_order(words, resampled.duration_s), speech)
        missing = joined_regions(unheard(found, speech, _UNHEARD_S), _JOINED_PAUSE_S, _TOGETHER_S)
        for start_s, end_s in missing:
            around = max(start_s - _MARGIN_S, 0.0), min(end_s + _MARGIN_S, resampled.duration_s)
            again = self._words(resampled, around, no_progress, cancel)
            found = with_found(found, [w for w in again if start_s <= middle_s(w) < end_s])
        return list(found)

    def _words(
        self, resampled: Speech, region: Region, progress: Progress, cancel: CancelToken
    ) -> list[Word]:
        """The words of a part of the recording, with times in the recording."""
        cancel.raise_if_cancelled()
        words = self._transcribe_window(excerpt(resampled, *region), progress, cancel)
        return [_moved(word, region[0]) for word in words]

    def _transcribe_window(
        self, window: Speech, progress: Progress, cancel: CancelToken
    ) -> tuple[Word, ...]:
        about = json.dumps([_FORMAT, audio_sha256(window), self.described()], sort_keys=True)
        kept = self.kept_in / f"{hashlib.sha256(about.encode()).hexdigest()[:32]}.json"
        known = _read_words(kept)
        if known is None:
            options: Any = parse_options(self.engine.options_type, self.options)
            running = self.engine.transcribe(window, options, progress, cancel)
            known = tuple(word for segment in running.segments for word in _words_of(segment))
            record = [[word.text, word.start_s, word.end_s, word.probability] for word in known]
            atomic.write_json(kept, {"words": record})
        return known


def open_listener(
    services: Services, model_id: str, language: str, precision: str, batch_size: int
) -> Listener:
    """`model_id` "" is the default model. Raises NotFoundError, BadInputError."""
    default = services.settings.asr_model
    engine = services.asr.get(find_model(services.asr, model_id) if model_id else default)
    wanted = {
        "language": language,
        "word_timestamps": True,
        "batched": True,
        "batch_size": batch_size,
        "precision": precision,
        "condition_on_previous_text": False,
        "temperature_fallback": False,
    }
    known = {field.name for field in describe_options(engine.options_type)}
    options = {name: value for name, value in wanted.items() if name in known}
    parse_options(engine.options_type, options)
    kept_in = services.settings.cache_folder / "listening"
    kept_in.mkdir(parents=True, exist_ok=True)
    return Listener(engine, options, kept_in)


def _words_of(segment: Segment) -> tuple[Word, ...]:
    """The words of a segment; spread over it if the model has no word times."""
    if segment.words:
        return whole_words(segment)
    return spread(segment.text, segment.start_s, segment.end_s)


def _read_words(path: Path) -> tuple[Word, ...] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))["words"]
        return tuple(Word(str(text), *map(float, numbers)) for text, *numbers in record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s cannot be read (%s); transcribing again", path, error)
        return None


def _moved(word: Word, by_s: float) -> Word:
    return replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s)
