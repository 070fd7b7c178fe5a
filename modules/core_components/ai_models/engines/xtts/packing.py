"""Writing the files of an XTTS that speaks: from a checkpoint, in full or in half precision."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modules.core_components import atomic
from modules.core_components.ai_models.engines.xtts.checkpoint import (
    CONFIG,
    SPEAKERS,
    TEXT_EMBEDDING,
    WEIGHTS,
    read_weights,
)

if TYPE_CHECKING:
    import torch

FULL, HALF = "float32", "float16"


@dataclass(frozen=True)
class PackedSize:
    """Bytes of the checkpoint and of the model.pth made from it."""

    before: int
    after: int


def pack(
    checkpoint: Path, base_folder: Path, vocabulary: Path, folder: Path, precision: str = FULL
) -> PackedSize:
    """Writes model.pth, config.json, vocab.json and the studio speakers into `folder`.

    Optimizer, DVAE and mel layers stay behind. The configuration is that of the base it was trained
    from. Raises CorruptFileError for what is no checkpoint, DiskFullError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(checkpoint, folder / WEIGHTS, precision)
    for source in (base_folder / CONFIG, vocabulary, base_folder / SPEAKERS):
        if source.is_file():  # the oldest versions have no studio speakers
            with atomic.atomic_path(folder / source.name) as partial:
                shutil.copyfile(source, partial)
    return PackedSize(checkpoint.stat().st_size, (folder / WEIGHTS).stat().st_size)


def write_weights(source: Path, target: Path, precision: str = "") -> None:
    """Writes what speaking needs of `source` as a model.pth of tensors alone, no other objects.

    `precision` is that of the file; "" leaves every tensor in its own. Raises CorruptFileError for
    a source without the weights of an XTTS, DiskFullError.
    """
    import torch

    # Mapped, not read: a checkpoint may be larger than the memory that is free.
    weights = read_weights(source)
    if precision == HALF:
        weights = halved(weights)
    with atomic.atomic_path(target) as partial:
        torch.save({"model": weights}, partial)


def halved(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights with their matrices in float16: half the bytes, 11 significant bits.

    Biases, norms and other rows of numbers are a thousandth of the whole and stay as they are, and
    so does a matrix with a number that float16 does not have (65,504 is its largest). The engine
    and the trainer compute in float32 whatever the file has.
    """
    import torch

    small = {}
    for name, value in weights.items():
        half = value.half() if value.dtype == torch.float32 and value.dim() > 1 else value
        small[name] = half if half is value or bool(torch.isfinite(half).all()) else value
    return small


def precision_of(weights_file: Path) -> str:
    """FULL or HALF, by the largest matrices of a model.pth. Raises as `read_weights`."""
    import torch

    kind = read_weights(weights_file)[TEXT_EMBEDDING].dtype
    return HALF if kind in (torch.float16, torch.bfloat16) else FULL


def float32_bytes(weights_file: Path) -> int:
    """The bytes that the weights take in memory and in a checkpoint of a training: a file in half
    precision takes twice its own. Raises as `read_weights`."""
    size = weights_file.stat().st_size
    return size * 2 if precision_of(weights_file) == HALF else size
