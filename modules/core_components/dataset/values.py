"""What a dataset is made of: recordings, the clips cut from them, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules.core_components.values import Word

# The engine's limits: XTTS reads clips of 22,050 Hz and drops what is longer than 255,995 samples,
# shorter than a third of a second, or of more than 200 text tokens (coqui-tts 0.28, GPTArgs).
SAMPLE_RATE_HZ = 22_050
LONGEST_SAMPLES = 255_995
SHORTEST_S = 0.33
MOST_TEXT_TOKENS = 200

TRAIN, EVAL = "train", "eval"


@dataclass(frozen=True)
class Stretch:
    """Seconds of a recording that are in no clip, and why ("no speech", "too short", ...)."""

    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True)
class Clip:
    """One row of a dataset: `wavs/<id>.wav` (16 bit, mono, 22,050 Hz) and what is said in it.

    `start_s` and `end_s` lie in the source, padding included; the times of `words` count from the
    clip's start. `heard` is what the listener wrote, `text` what stands in the metadata: the user
    may have mended it. `subset` is "train" or "eval" and never changes once drawn. A clip with a
    reason in `dropped` is kept on disk and left out of the metadata. `gain_db` was applied for the
    common loudness.
    """

    id: str
    source: str
    start_s: float
    end_s: float
    text: str
    heard: str
    words: tuple[Word, ...]
    subset: str
    speaker: str
    gain_db: float = 0.0
    dropped: str = ""
    edited: bool = False

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Source:
    """A recording that was cut: `key` begins its content hash and the names of its clips.

    Kept and dropped seconds add up to `duration_s`: `clips` and `dropped` cover all of it.
    `made_with` says how: listener, its revision, every parameter.
    """

    key: str
    name: str
    audio_sha256: str
    duration_s: float
    clips: tuple[Clip, ...]
    dropped: tuple[Stretch, ...]
    made_with: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A project folder: `wavs/`, `metadata_train.csv`, `metadata_eval.csv`, `lang.txt`,
    `dataset.json`. `language` is an ISO 639-1 code; `agreed`: its maker said that the speaker
    agreed to being learned from."""

    name: str
    folder: Path
    language: str
    speaker: str
    sources: tuple[Source, ...]
    created: str = ""
    agreed: bool = False

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip, those left out as well, in the order of the recordings."""
        return tuple(clip for source in self.sources for clip in source.clips)

    @property
    def rows(self) -> tuple[Clip, ...]:
        """The clips that stand in the metadata."""
        return tuple(clip for clip in self.clips if not clip.dropped)

    def wav_of(self, clip: Clip) -> Path:
        return self.folder / "wavs" / f"{clip.id}.wav"
