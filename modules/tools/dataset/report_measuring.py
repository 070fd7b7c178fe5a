"""The sound of every clip of a dataset, measured once and kept by content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modules.core_components.audio.files import read_speech
from modules.core_components.dataset.report_cache import ContentCache
from modules.core_components.dataset.report_sound import (
    VERSION,
    SoundMeasures,
    is_clear,
    measure_sound,
)
from modules.core_components.dataset.report_voices import SHORTEST_S
from modules.core_components.dataset.values import Clip, Dataset
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress

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
        """Whether it can tell who speaks: noise and distortion make anybody another person."""
        return is_clear(self.sound) and self.sound.duration_s >= SHORTEST_S


@dataclass(frozen=True)
class MeasuredClips:
    """The clips of the metadata by id, and what is wrong with those that cannot be read.

    `waiting` are those that were left for a longer look.
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
            problems[clip.id] = f"Its recording cannot be read ({error.strerror})."
            continue
        if known is None:
            unknown.append(clip)
        else:
            clips[clip.id] = known
    for number, clip in enumerate(unknown[:at_most]):
        cancel.raise_if_cancelled()
        progress(number / len(unknown), f"Measuring clip {number + 1} of {len(unknown)}")
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
