"""Starts the process that trains, and ends it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from modules.core_components.library.training_runs import RunFiles
from modules.core_components.settings import app_folder
from modules.core_components.texts import language_variable

_MODULE = "modules.core_components.ai_models.engines.xtts.training.child"


class TrainingProcess:
    """The child process of one start of a run.

    Its standard input is a pipe that closes when the studio ends; then it saves its state and ends.
    """

    def __init__(self, files: RunFiles) -> None:
        environment = {
            **os.environ,
            **language_variable(),
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(app_folder()), os.environ.get("PYTHONPATH", "")))
            ),
            "PYTHONUNBUFFERED": "1",
            "COQUI_TOS_AGREED": "1",  # the user agreed before the base model was downloaded
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
        """Kills the process and those that it started; the run can be resumed from its last
        state."""
        import psutil

        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Closes the pipe."""
        if self._process.stdin is not None:
            self._process.stdin.close()
