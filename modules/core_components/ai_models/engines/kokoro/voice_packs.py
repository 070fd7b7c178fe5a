"""A voice as a file: a style pack, in the two forms other Kokoro programs read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from modules.core_components.atomic import atomic_path
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray

# One style for each number of phonemes: the first half of its 256 numbers colours the voice, the
# second half its melody and rhythm.
PACK_SHAPE = (510, 1, 256)
SUFFIXES = (".pt", ".safetensors")
_TENSOR_NAME = "style"


def load_pack(path: Path) -> FloatArray:
    """The pack, float32 [510, 1, 256], in a `.pt` (never unpickles code) or `.safetensors` file.

    Raises BadInputError that names the file and what is wrong with it.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    _check_suffix(path)
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
            pack = next(iter(tensors.values())) if len(tensors) == 1 else None
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            pack = content.float().numpy() if isinstance(content, torch.Tensor) else None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, SafetensorError) as error:
        raise BadInputError(f"{path.name} cannot be read as a voice ({error}).") from error
    if pack is None:
        raise BadInputError(f"{path.name} does not hold one voice.", "Choose a Kokoro voice file.")
    return checked_pack(pack, path.name)


def save_pack(pack: FloatArray, path: Path) -> Path:
    """Writes the pack as `.pt` or `.safetensors`, whole or not at all."""
    import torch
    from safetensors.numpy import save_file

    _check_suffix(path)
    pack = checked_pack(pack, path.name)
    with atomic_path(path) as partial:
        if path.suffix == ".safetensors":
            save_file({_TENSOR_NAME: pack}, partial)
        else:
            torch.save(torch.from_numpy(pack.copy()), partial)
    return path


def checked_pack(pack: FloatArray, label: str) -> FloatArray:
    """`pack` as contiguous float32; BadInputError when its shape or its numbers are wrong."""
    if pack.shape != PACK_SHAPE:
        shape = " x ".join(map(str, pack.shape))
        raise BadInputError(
            f"{label} has the shape {shape}, and a Kokoro voice has 510 x 1 x 256.",
            "Choose a Kokoro voice file.",
        )
    pack = np.ascontiguousarray(pack, dtype=np.float32)
    if not np.isfinite(pack).all():
        raise BadInputError(f"{label} holds numbers that are not finite.")
    return pack


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise BadInputError(
            f"{path.name} is no voice file.", f"Voice files end in {' or '.join(SUFFIXES)}."
        )
