"""Starts the process that trains, and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from modules.core_components.library.training_runs import RunFiles
from modules.core_components.settings import app_folder

_MODULE = "modules.core_components.ai_models.engines.xtts.training.child"


class TrainingProcess:
    """The child of one start of a run. It ends by itself, keeping its state, when the studio does:
    its standard input is a pipe that closes then."""

    def __init__(self, files: RunFiles) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(app_folder()), os.environ.get("PYTHONPATH", "")))
            ),
            "PYTHONUNBUFFERED": "1",
            "COQUI_TOS_AGREED": "1",  # asked for before the base model was downloaded
        }
        with files.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(files.folder)],
                cwd=files.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal is for the studio, which then asks the child to stop.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code, or None if it still runs after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it at once; it goes on from its last state another time."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Lets go of the pipe."""
        if self._process.stdin is not None:
            self._process.stdin.close()


# What the outside asks of a running training: to stop at once, or when the epoch is over.
#
# The wishes are files in the run's folder, so that any process can leave one, and the end of the
# studio is one too: the child's standard input is a pipe that nobody writes to and whose end comes
# when the studio is gone, killed or closed.


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
