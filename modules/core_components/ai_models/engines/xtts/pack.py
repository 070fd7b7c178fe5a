"""From a checkpoint of the trainer to a folder that speaks: stripped, complete, of one version."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.errors import CorruptFileError

CONFIG, WEIGHTS, VOCABULARY, SPEAKERS = (
    "config.json",
    "model.pth",
    "vocab.json",
    "speakers_xtts.pth",
)
REFERENCE = "reference.wav"
# The DVAE makes audio codes, the mel layers show sound to it and to the GPT: all for training.
_TRAINING_ONLY = ("dvae", "torch_mel_spectrogram_dvae", "torch_mel_spectrogram_style_encoder")
_PREFIX = "xtts."


@dataclass(frozen=True)
class PackedSize:
    """Bytes of the checkpoint and of the model.pth made from it."""

    before: int
    after: int


def pack(checkpoint: Path, base_folder: Path, folder: Path) -> PackedSize:
    """Writes model.pth, config.json, vocab.json and the studio speakers into `folder`.

    The vocabulary and the configuration are those of the base it was trained from. Raises
    CorruptFileError for what is no checkpoint, DiskFullError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_weights(checkpoint, folder / WEIGHTS)
    for name in (CONFIG, VOCABULARY, SPEAKERS):
        if (base_folder / name).is_file():  # the oldest versions have no studio speakers
            with atomic.atomic_path(folder / name) as partial:
                shutil.copyfile(base_folder / name, partial)
    return PackedSize(checkpoint.stat().st_size, (folder / WEIGHTS).stat().st_size)


def stripped(weights: dict[str, Any]) -> dict[str, Any]:
    """The weights of `Xtts` among those of `GPTTrainer`, under the names it has for them."""
    plain = {name.removeprefix(_PREFIX): tensor for name, tensor in weights.items()}
    return {
        name: tensor
        for name, tensor in plain.items()
        if name.partition(".")[0] not in _TRAINING_ONLY
    }


def _write_weights(checkpoint: Path, target: Path) -> None:
    import torch

    try:
        # Mapped, not read: a checkpoint may be larger than the memory that is free.
        content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        weights = content["model"]
    except Exception as error:  # torch raises whatever the file makes it raise
        raise CorruptFileError(
            f"{checkpoint.name} is no checkpoint of a training ({type(error).__name__}).",
            "Choose another checkpoint of this run.",
        ) from error
    with atomic.atomic_path(target) as partial:
        torch.save({"model": stripped(weights)}, partial)
