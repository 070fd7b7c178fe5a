"""From a checkpoint of the trainer to a folder that speaks: stripped, complete, of one version."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from modules.core_components import atomic
from modules.core_components.ai_models.engines.xtts.checkpoint import read_weights
from modules.core_components.ai_models.engines.xtts.files import (
    CONFIG,
    SPEAKERS,
    VOCABULARY,
    WEIGHTS,
)


@dataclass(frozen=True)
class PackedSize:
    """Bytes of the checkpoint and of the model.pth made from it."""

    before: int
    after: int


def pack(checkpoint: Path, base_folder: Path, folder: Path) -> PackedSize:
    """Writes model.pth, config.json, vocab.json and the studio speakers into `folder`.

    Optimizer, DVAE and mel layers stay behind. Vocabulary and configuration are those of the base
    it was trained from. Raises CorruptFileError for what is no checkpoint, DiskFullError.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    with atomic.atomic_path(folder / WEIGHTS) as partial:
        # Mapped, not read: a checkpoint may be larger than the memory that is free.
        torch.save({"model": read_weights(checkpoint)}, partial)
    for name in (CONFIG, VOCABULARY, SPEAKERS):
        if (base_folder / name).is_file():  # the oldest versions have no studio speakers
            with atomic.atomic_path(folder / name) as partial:
                shutil.copyfile(base_folder / name, partial)
    return PackedSize(checkpoint.stat().st_size, (folder / WEIGHTS).stat().st_size)
