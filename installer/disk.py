"""Whether the disk has room, asked before anything is fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

from installer.errors import DiskFullInstallError

_GIB = 1024**3

# Measured: an environment with the CPU build is 2.6 GiB, with the CUDA build about 8; the same
# again is in use for a moment while packages are unpacked out of the caches.
_CPU_NEED_BYTES = 4 * _GIB
_CUDA_NEED_BYTES = 13 * _GIB
_MODELS_NEED_BYTES = 2 * _GIB  # the starter models with their downloads and the conversion
_REPAIR_NEED_BYTES = _GIB // 2


def needed_bytes(torch_is_here: bool, cuda: bool, models: bool) -> int:
    """Free space that the installation needs at its fullest moment."""
    fresh = _CUDA_NEED_BYTES if cuda else _CPU_NEED_BYTES
    environment = _REPAIR_NEED_BYTES if torch_is_here else fresh
    return environment + (_MODELS_NEED_BYTES if models and not torch_is_here else 0)


def check_room(folder: Path, needed: int) -> int:
    """The free bytes of the folder's disk. Raises DiskFullInstallError if they are too few."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFullInstallError(
            f"The disk of {folder} has {free / _GIB:.1f} GiB free; "
            f"the installation needs {needed / _GIB:.1f} GiB.",
            "Free some space or move this folder to a larger disk, then run the installer again.",
        )
    return free
