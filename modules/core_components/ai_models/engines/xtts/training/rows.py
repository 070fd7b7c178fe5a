"""The rows of a training: which clip, what it says, and which set it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modules.core_components.dataset.values import TRAIN, Clip
from modules.core_components.errors import CorruptFileError


@dataclass(frozen=True)
class TrainingRow:
    """One clip: `audio_file` relative to the dataset's folder, `subset` "train" or "eval"."""

    clip_id: str
    audio_file: str
    text: str
    speaker: str
    subset: str

    @property
    def for_training(self) -> bool:
        return self.subset == TRAIN


def row_of(clip: Clip) -> TrainingRow:
    """The row of a dataset's clip."""
    return TrainingRow(clip.id, f"wavs/{clip.id}.wav", clip.text, clip.speaker, clip.subset)


def row_to_json(row: TrainingRow) -> Mapping[str, Any]:
    return asdict(row)


def read_rows(path: Path) -> tuple[TrainingRow, ...]:
    """The rows that a run was begun with. Raises CorruptFileError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(TrainingRow(**row) for row in content["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            f"The rows of the training in {path.parent} cannot be read ({error!r}).",
            "Start a new training from the same dataset.",
        ) from error
