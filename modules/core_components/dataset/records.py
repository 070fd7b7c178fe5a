"""Sources and clips as plain JSON, in both directions.

What a newer version wrote and this one does not know is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.dataset.values import Clip, Dataset, Source, Stretch
from modules.core_components.errors import CorruptFileError
from modules.core_components.values import Word


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
            f"The record of a clip cannot be read ({error!r}).", "Build its recording again."
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
            f"The record of a recording cannot be read ({error!r}).", "Build it again."
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
