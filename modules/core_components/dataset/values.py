"""The values of a dataset: recordings, the clips cut from them, and what is excluded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

from modules.core_components.errors import CorruptFileError
from modules.core_components.texts import _
from modules.core_components.values import Word

# The engine's limits: XTTS reads clips of 22,050 Hz and drops what is longer than 255,995 samples,
# shorter than a third of a second, or of more than 200 text tokens (coqui-tts 0.28, GPTArgs).
SAMPLE_RATE_HZ = 22_050
LONGEST_SAMPLES = 255_995
SHORTEST_S = 0.33
MOST_TEXT_TOKENS = 200

TRAIN, EVAL = "train", "eval"
_LABEL_CHARACTERS = 50


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
    may have edited it. `subset` is "train" or "eval" and never changes once drawn. A clip with a
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


# As JSON. Fields of newer versions are ignored.


def clip_to_json(clip: Clip, with_words: bool = True) -> dict[str, Any]:
    """Everything about a clip; its words as [text, start_s, end_s, probability]."""
    record = {name: value for name, value in vars(clip).items() if name != "words"}
    if with_words:
        record["words"] = [[w.text, w.start_s, w.end_s, w.probability] for w in clip.words]
    return record


def clip_from_json(record: Mapping[str, Any]) -> Clip:
    """Raises CorruptFileError for what is no clip."""
    try:
        return Clip(
            id=str(record["id"]),
            source=str(record["source"]),
            start_s=float(record["start_s"]),
            end_s=float(record["end_s"]),
            text=str(record["text"]),
            heard=str(record["heard"]),
            words=tuple(
                Word(str(text), float(start), float(end), float(probability))
                for text, start, end, probability in record["words"]
            ),
            subset=str(record["subset"]),
            speaker=str(record["speaker"]),
            gain_db=float(record.get("gain_db", 0.0)),
            dropped=str(record.get("dropped", "")),
            edited=bool(record.get("edited", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(
            _("What is kept of a clip cannot be read."),
            _("Add its recording to the dataset again."),
            details=repr(error),
        ) from error


def source_to_json(source: Source, with_words: bool = True) -> dict[str, Any]:
    """Everything about a recording and its clips."""
    return {
        **{name: value for name, value in vars(source).items() if name not in _NESTED},
        "made_with": dict(source.made_with),
        "clips": [clip_to_json(clip, with_words) for clip in source.clips],
        "dropped": [[gap.start_s, gap.end_s, gap.reason] for gap in source.dropped],
    }


def source_from_json(record: Mapping[str, Any]) -> Source:
    """Raises CorruptFileError for what is no source."""
    try:
        return Source(
            key=str(record["key"]),
            name=str(record["name"]),
            audio_sha256=str(record["audio_sha256"]),
            duration_s=float(record["duration_s"]),
            clips=tuple(clip_from_json(clip) for clip in record["clips"]),
            dropped=tuple(
                Stretch(float(start), float(end), str(reason))
                for start, end, reason in record["dropped"]
            ),
            made_with=dict(record.get("made_with", {})),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(
            _("What is kept of a recording cannot be read."),
            _("Add it to the dataset again."),
            details=repr(error),
        ) from error


def dataset_to_json(dataset: Dataset) -> dict[str, Any]:
    """How every clip was made, for people and programs to read; words stay with the sources."""
    return {
        **identity_to_json(dataset),
        "sources": [source_to_json(source, with_words=False) for source in dataset.sources],
    }


def identity_to_json(dataset: Dataset) -> dict[str, Any]:
    """What a dataset is, without what is in it."""
    names = ("name", "language", "speaker", "agreed", "created")
    return {name: getattr(dataset, name) for name in names}


_NESTED = ("made_with", "clips", "dropped")


def clip_label(text: str) -> str:
    """How messages name a clip: by the beginning of its text, in quotes."""
    return f"“{shorten(text, _LABEL_CHARACTERS, placeholder='…')}”"


# As metadata rows, `audio_file|text|speaker_name`, for coqui's trainer.

HEADER = "audio_file|text|speaker_name"


def metadata_text(text: str) -> str:
    """The text as a row can hold it: on one line, without `|` and without straight double quotes.

    The trainer's reader takes a `"` at the start of a field for the begin of a quoted one, and
    swallows the rows that follow; XTTS's own cleaner removes that character anyway.
    """
    return " ".join(text.replace("|", " ").replace('"', "").split())


def metadata_csv(rows: Iterable[Clip]) -> str:
    """The file for these clips, header first, a line each."""
    lines = [HEADER]
    lines += [
        f"wavs/{clip.id}.wav|{metadata_text(clip.text)}|{metadata_text(clip.speaker)}"
        for clip in rows
    ]
    return "".join(f"{line}\n" for line in lines)
