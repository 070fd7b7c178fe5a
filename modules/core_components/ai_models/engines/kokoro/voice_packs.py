"""A voice as a file: a style pack, in the three forms other Kokoro programs read."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np

from modules.core_components.atomic import atomic_path
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray

# One style for each number of phonemes: the first half of its 256 numbers colours the voice, the
# second half its melody and rhythm.
PACK_SHAPE = (510, 1, 256)
_OLD_SHAPE = (511, 1, 256)
SUFFIXES = (".pt", ".safetensors", ".bin")
_RAW_TYPE = "<f4"
_RAW_BYTES = 510 * 256 * 4
# A pack takes half a megabyte in every form; nothing larger is even read.
_MOST_BYTES = 2**22
# The stock voices keep within 3.2.
_MOST = 100.0
_TENSOR_NAME = "style"
# What the readers raise for bytes that they cannot make sense of.
_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
)


def load_pack(path: Path) -> FloatArray:
    """The pack, float32 [510, 1, 256], in a file.

    Of `.pt` no code is ever unpickled; `.safetensors` and `.pt` must hold one tensor, `.bin` the
    bare numbers as little-endian float32. Raises BadInputError that names the file and what is
    wrong with it.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    suffix = _checked_suffix(path)
    try:
        _check_size(path)
        if suffix == ".bin":
            return checked_pack(_read_raw(path), path.name)
        if suffix == ".safetensors":
            tensors = load_file(path)
            pack = next(iter(tensors.values())) if len(tensors) == 1 else None
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
            pack = content.float().numpy() if isinstance(content, torch.Tensor) else None
    except (*_UNREADABLE, SafetensorError) as error:
        reason = str(error).partition("\n")[0][:200]  # torch explains itself at length
        raise BadInputError(
            f"{path.name} cannot be read as a voice ({reason}).", "Choose a Kokoro voice file."
        ) from error
    if pack is None:
        raise BadInputError(f"{path.name} does not hold one voice.", "Choose a Kokoro voice file.")
    return checked_pack(pack, path.name)


def save_pack(pack: FloatArray, path: Path) -> Path:
    """Writes the pack in the form that the suffix names, whole or not at all."""
    import torch
    from safetensors.numpy import save_file

    suffix = _checked_suffix(path)
    pack = checked_pack(pack, path.name)
    with atomic_path(path) as partial:
        if suffix == ".safetensors":
            save_file({_TENSOR_NAME: pack}, partial)
        elif suffix == ".bin":
            partial.write_bytes(pack.astype(_RAW_TYPE).tobytes())
        else:
            torch.save(torch.from_numpy(pack.copy()), partial)
    return path


def pack_bytes(pack: FloatArray) -> bytes:
    """The pack as the content of a `.safetensors` file."""
    from safetensors.numpy import save

    return save({_TENSOR_NAME: checked_pack(pack, "The voice")})


def checked_pack(pack: FloatArray, label: str) -> FloatArray:
    """`pack` as contiguous float32; BadInputError when its shape or its numbers are wrong.

    Packs of v0.19 begin with a row for no phonemes at all, which is left out.
    """
    if pack.shape == _OLD_SHAPE:
        pack = pack[1:]
    if pack.shape != PACK_SHAPE:
        shape = " x ".join(map(str, pack.shape))
        raise BadInputError(
            f"{label} has the shape {shape}, and a Kokoro voice has 510 x 1 x 256.",
            "Choose a Kokoro voice file.",
        )
    pack = np.ascontiguousarray(pack, dtype=np.float32)
    if not np.isfinite(pack).all():
        raise BadInputError(f"{label} holds numbers that are not finite.")
    if np.abs(pack).max() > _MOST:
        raise BadInputError(f"{label} holds numbers beyond those of any voice.")
    return pack


def pack_sha256(pack: FloatArray) -> str:
    """The hash of the numbers, the same in whatever form they were kept."""
    return hashlib.sha256(np.ascontiguousarray(pack, dtype=_RAW_TYPE).tobytes()).hexdigest()


def _read_raw(path: Path) -> FloatArray:
    content = path.read_bytes()
    if len(content) != _RAW_BYTES:
        raise BadInputError(
            f"{path.name} has {len(content):,} bytes; a bare voice has {_RAW_BYTES:,}.",
            "It must hold exactly 510 x 256 numbers of four bytes.",
        )
    return np.frombuffer(content, dtype=_RAW_TYPE).reshape(PACK_SHAPE)


def _check_size(path: Path) -> None:
    if path.stat().st_size > _MOST_BYTES:
        raise BadInputError(
            f"{path.name} is too large to be a voice.", "A Kokoro voice takes half a megabyte."
        )


def _checked_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInputError(
            f"{path.name} is no voice file.", f"Voice files end in {', '.join(SUFFIXES)}."
        )
    return suffix
