"""What the outside asks of a running training: to stop at once, or when the epoch is over.

The wishes are files in the run's folder, so that any process can leave one, and the end of the
studio is one too: the child's standard input is a pipe that nobody writes to and whose end comes
when the studio is gone, killed or closed.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType


class StopRequests:
    """Looked at between batches. `reason` says who wanted it to stop."""

    def __init__(self, stop_file: Path, after_epoch_file: Path) -> None:
        self._stop_file = stop_file
        self._after_epoch_file = after_epoch_file
        self._stop = threading.Event()
        self.reason = ""

    @property
    def at_once(self) -> bool:
        if not self._stop.is_set() and self._stop_file.exists():
            self.stop("It was stopped.")
        return self._stop.is_set()

    @property
    def after_epoch(self) -> bool:
        return self._after_epoch_file.exists()

    def stop(self, reason: str) -> None:
        """Asks to stop at once; the first reason is the one that is told."""
        if not self._stop.is_set():
            self.reason = reason
            self._stop.set()

    def watch_parent(self, descriptor: int) -> None:
        """Stops when the other end of the pipe is closed."""

        def wait_for_end() -> None:
            # Not through sys.stdin: its lock would be held for good, and a process that is forked
            # to read clips closes sys.stdin first of all.
            while os.read(descriptor, 1024):
                pass
            self.stop("The studio was closed.")

        threading.Thread(target=wait_for_end, name="studio-lives", daemon=True).start()

    def heed_signals(self) -> None:
        """A system that shuts down, and Ctrl-C, ask to stop at once."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self.stop("The system asked it to stop.")

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
