"""One installation at a time in a folder.

The lock is the kernel's (flock, or LockFileEx on Windows), taken on a file that also holds the
owner's process id for the message. The kernel gives it back whichever way the owner ends, so a
killed installer never leaves a stale lock; and since the children inherit it, it stays taken as
long as a pip of a killed installer is still writing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.errors import InstallError

_POLL_S = 0.5
_PATIENCE_S = 3600.0
_LOCKED_BYTE = 1 << 20  # on Windows a locked byte cannot be read, so not one of the id's


@contextmanager
def install_lock(
    path: Path,
    announce: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    patience_s: float = _PATIENCE_S,
) -> Iterator[int]:
    """Waits for the lock, yields its file descriptor, gives it back.

    `announce` hears once who holds it. Raises InstallError after `patience_s` of waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        waited_s = 0.0
        while not _try_lock(descriptor):
            if waited_s == 0.0:
                announce(f"for another installation (process {_owner(path)}) in this folder")
            if waited_s >= patience_s:
                raise InstallError(
                    f"Another installation (process {_owner(path)}) holds {path}.",
                    "Wait for it or end it, then run the installer again.",
                )
            sleep(_POLL_S)
            waited_s += _POLL_S
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def _owner(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip() or "unknown"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
