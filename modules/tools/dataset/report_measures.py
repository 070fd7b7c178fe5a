"""Measures of the clips of a dataset: sound, speaker, language, and a second transcript.

Every answer is cached by the clip's content and the model that gave it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.speaker_handle import SpeakerEncoderHandle
from modules.core_components.audio.files import read_speech
from modules.core_components.dataset.report import ContentCache, packed, unpacked
from modules.core_components.dataset.report_clips import (
    VERSION,
    SoundMeasures,
    is_clear,
    measure_sound,
)
from modules.core_components.dataset.report_whole import SHORTEST_S
from modules.core_components.dataset.values import Clip, Dataset
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _
from modules.core_components.values import FloatArray
from modules.tools.listening.language_check import detect_language, language_detector
from modules.tools.listening.transcribe import transcribe_speech
from modules.tools.services import Services

logger = logging.getLogger(__name__)

_SAVE_EVERY = 100


@dataclass(frozen=True)
class MeasuredClip:
    """A clip that is there: its row, its wav, the hash of that file, its figures."""

    clip: Clip
    path: Path
    sha256: str
    sound: SoundMeasures

    @property
    def shows_speaker(self) -> bool:
        """Whether it shows the speaker: noise and distortion change the speaker embedding."""
        return is_clear(self.sound) and self.sound.duration_s >= SHORTEST_S


@dataclass(frozen=True)
class MeasuredClips:
    """The clips of the metadata by id, and what is wrong with those that cannot be read.

    `waiting` are those that are not measured yet.
    """

    clips: Mapping[str, MeasuredClip]
    problems: Mapping[str, str]
    waiting: frozenset[str]


def measure_clips(
    dataset: Dataset,
    cache: ContentCache,
    progress: Progress,
    cancel: CancelToken,
    at_most: int | None = None,
) -> MeasuredClips:
    """Reads every clip; measures what is not in the cache, `at_most` so many of them.

    Raises JobCancelled, DiskFullError.
    """
    clips: dict[str, MeasuredClip] = {}
    problems: dict[str, str] = {}
    unknown: list[Clip] = []
    for clip in dataset.rows:
        try:
            known = _kept(clip, dataset.wav_of(clip), cache)
        except OSError as error:
            problems[clip.id] = _(
                "Its recording cannot be read ({strerror}).", strerror=error.strerror
            )
            continue
        if known is None:
            unknown.append(clip)
        else:
            clips[clip.id] = known
    for number, clip in enumerate(unknown[:at_most]):
        cancel.raise_if_cancelled()
        progress(
            number / len(unknown),
            _("Measuring clip {number} of {count}", number=number + 1, count=len(unknown)),
        )
        try:
            clips[clip.id] = _measured(clip, dataset.wav_of(clip), cache)
        except BadInputError as error:
            problems[clip.id] = error.message
        if number % _SAVE_EVERY == _SAVE_EVERY - 1:
            cache.save()
    waiting = frozenset(clip.id for clip in unknown) - clips.keys() - problems.keys()
    return MeasuredClips(clips, problems, waiting)


def _kept(clip: Clip, path: Path, cache: ContentCache) -> MeasuredClip | None:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    kept: Any = cache.get(_what(clip), sha256)
    return None if kept is None else MeasuredClip(clip, path, sha256, SoundMeasures(**kept))


def _measured(clip: Clip, path: Path, cache: ContentCache) -> MeasuredClip:
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    sound = measure_sound(read_speech(content), clip.gain_db)
    cache.put(_what(clip), sha256, asdict(sound))
    return MeasuredClip(clip, path, sha256, sound)


def _what(clip: Clip) -> str:
    return f"sound:{VERSION}:{clip.gain_db:.2f}"


# Detecting a language takes a second a clip; it only changes between recordings.
CLIPS_PER_RECORDING, MOST_CLIPS = 2, 12


def embed_clips(
    services: Services,
    encoder: SpeakerEncoderHandle[Any],
    clips: Sequence[MeasuredClip],
    cache: ContentCache,
    progress: Progress,
    cancel: CancelToken,
    quick: bool = False,
) -> dict[str, FloatArray]:
    """The speaker embedding of each clear clip of a second or more, by clip id.

    `quick` takes only what is known already. Raises StudioError where the speaker encoder cannot
    be had.
    """
    entry = services.catalog.entry(encoder.model_id)
    what = f"voice:{entry.id}:{services.catalog.revision(entry)}"
    embeddings = {}
    for number, measured in enumerate(clips):
        cancel.raise_if_cancelled()
        if not measured.shows_speaker:
            continue
        kept = cache.get(what, measured.sha256)
        if kept is None and quick:
            continue
        if kept is None:
            progress(
                number / len(clips),
                _("Comparing voices: {number} of {count}", number=number + 1, count=len(clips)),
            )
            kept = packed(encoder.embed(read_speech(measured.path)))
            cache.put(what, measured.sha256, kept)
        embeddings[measured.clip.id] = unpacked(kept)
    return embeddings


def detect_languages(
    services: Services,
    clips: Sequence[MeasuredClip],
    cache: ContentCache,
    progress: Progress,
    cancel: CancelToken,
    quick: bool = False,
) -> dict[str, tuple[str, float]]:
    """Language (ISO 639-1) and probability of the longest clips of each recording, by clip id.

    `quick` takes only what is known already. Raises StudioError where no listening model that
    knows several languages is installed.
    """
    listener = language_detector(services)
    what = f"language:{listener.model_id}:{listener.model_revision}"
    found = {}
    chosen = _few_of_each_recording(clips)
    for number, measured in enumerate(chosen):
        cancel.raise_if_cancelled()
        kept = cache.get(what, measured.sha256)
        if kept is None and quick:
            continue
        if kept is None:
            progress(
                number / len(chosen),
                _("Which language? {number} of {count}", number=number + 1, count=len(chosen)),
            )
            heard = detect_language(listener, measured.path, cancel)
            kept = [heard.language, heard.probability] if heard else ["", 0.0]
            cache.put(what, measured.sha256, kept)
        if kept[0]:
            found[measured.clip.id] = (str(kept[0]), float(kept[1]))
    return found


def listen_again(
    services: Services,
    clips: Sequence[MeasuredClip],
    language: str,
    model_id: str,
    cache: ContentCache,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    """Transcribes each clip with another model, for `heard_before`. Raises StudioError."""
    what = f"{_heard_in(language)}{model_id}:{services.asr.get(model_id).model_revision}"
    for number, measured in enumerate(clips):
        cancel.raise_if_cancelled()
        text = cache.get(what, measured.sha256)
        if text is None:
            progress(
                number / len(clips),
                _("Transcribing again: {number} of {count}", number=number + 1, count=len(clips)),
            )
            speech = read_speech(measured.path)
            said = transcribe_speech(services, speech, model_id, language, no_progress, cancel)
            text = said.text
        cache.put(what, measured.sha256, text)


def heard_before(
    clips: Sequence[MeasuredClip], language: str, cache: ContentCache
) -> dict[str, str]:
    """The last second transcript, by clip id."""
    texts = {item.clip.id: cache.latest(_heard_in(language), item.sha256) for item in clips}
    return {clip_id: str(text) for clip_id, text in texts.items() if text is not None}


def _heard_in(language: str) -> str:
    return f"heard:{language}:"


def _few_of_each_recording(clips: Iterable[MeasuredClip]) -> list[MeasuredClip]:
    """The longest clips of each recording, the recordings of most speech first."""
    recordings: dict[str, list[MeasuredClip]] = {}
    for measured in clips:
        recordings.setdefault(measured.clip.source, []).append(measured)
    longest = [
        sorted(some, key=lambda measured: -measured.clip.duration_s)[:CLIPS_PER_RECORDING]
        for some in recordings.values()
    ]
    longest.sort(key=lambda some: -some[0].clip.duration_s)
    return [measured for some in longest for measured in some][:MOST_CLIPS]
