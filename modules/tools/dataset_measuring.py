"""The sound of every clip of a dataset, measured once and kept by content."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modules.core_components.audio.files import read_speech
from modules.core_components.dataset.report_cache import ContentCache
from modules.core_components.dataset.report_sound import VERSION, SoundMeasures, measure_sound
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
    def is_audible(self) -> bool:
        return self.sound.loudness_lufs is not None


@dataclass(frozen=True)
class MeasuredClips:
    """The clips of the metadata by id, and what is wrong with those that cannot be read."""

    clips: dict[str, MeasuredClip]
    problems: dict[str, str]


def measure_clips(
    dataset: Dataset, cache: ContentCache, progress: Progress, cancel: CancelToken
) -> MeasuredClips:
    """Reads and measures what is not in the cache. Raises JobCancelled, DiskFullError."""
    rows = dataset.rows
    found = MeasuredClips({}, {})
    for number, clip in enumerate(rows):
        cancel.raise_if_cancelled()
        progress(number / len(rows), f"Measuring clip {number + 1} of {len(rows)}")
        try:
            found.clips[clip.id] = _measured(clip, dataset.wav_of(clip), cache)
        except BadInputError as error:
            found.problems[clip.id] = error.message
        except OSError as error:
            found.problems[clip.id] = f"Its recording cannot be read ({error.strerror})."
        if number % _SAVE_EVERY == _SAVE_EVERY - 1:
            cache.save()
    return found


def _measured(clip: Clip, path: Path, cache: ContentCache) -> MeasuredClip:
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    what = f"sound:{VERSION}:{clip.gain_db:.2f}"
    kept: Any = cache.get(what, sha256)
    if kept is None:
        kept = asdict(measure_sound(read_speech(content), clip.gain_db))
        cache.put(what, sha256, kept)
    return MeasuredClip(clip, path, sha256, SoundMeasures(**kept))
