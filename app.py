"""The entry: `python app.py` opens the studio; `python app.py COMMAND` is the terminal face."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys

_M_ARENA_MAX = -8  # glibc's malloc.h
# New objects between two collections of garbage. With Python's 700 the import of the libraries, a
# million objects, is interrupted 1,763 times, which takes a fifth of it (docs/performance.md).
_COLLECT_EVERY = 10_000


def prepare_environment() -> None:
    """What must be set before libraries are imported."""
    # Nothing on this machine reports home, and no page asks another host for a version.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # OpenMP threads that spin while they wait make two computing processes block each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # oneDNN keeps a compiled kernel for every length of audio it ever saw; this bounds them.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    gc.set_threshold(_COLLECT_EVERY)
    share_one_heap()


def share_one_heap() -> None:
    """Has the threads share one heap where the C library is glibc.

    It gives every thread a heap of its own, and none of them gives back what a synthesis took:
    after forty requests the process had half a gigabyte more (docs/performance.md).
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def main() -> None:
    prepare_environment()
    try:
        from modules.cli.main import run

        code = run()
    except ImportError as error:
        sys.stderr.write(
            f"The package {error.name or error} is missing or damaged. Start with start.sh "
            "(start.bat on Windows), or run the installer again.\n"
        )
        code = 1
    except KeyboardInterrupt:
        code = 130
    # Python looks through all objects once more when it ends: with the libraries of the studio they
    # are half a million, and the terminal waited for a second (docs/performance.md).
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
