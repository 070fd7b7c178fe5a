"""Is there room? Asked before anything large is written."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modules.core_components.errors import DiskFullError

MARGIN_BYTES = 64 * 1024 * 1024  # the studio's own notes, logs and takes keep working


def ensure_free(folder: Path, needed_bytes: int) -> None:
    """Raises DiskFullError unless `needed_bytes` (and a margin) fit on the disk of `folder`."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed_bytes and free < needed_bytes + MARGIN_BYTES:
        raise DiskFullError(
            f"The disk of {folder} has {megabytes(free)} free; "
            f"{megabytes(needed_bytes + MARGIN_BYTES)} are needed.",
            "Free some space, or choose another models folder in the settings.",
        )


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turns the system's "no space left" while writing `target` into a DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            f"The disk became full while {target.name} was written.",
            "Free some space and start again: what arrived so far is kept.",
        ) from error


def megabytes(count: float) -> str:
    """Bytes for people: 0.4 MB, 75.5 MB, 3.09 GB."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
