"""Running other programs: every command and every line it prints goes to the log."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from installer.journal import Journal

NOT_FOUND = 127
"""The return code for a program that is not there or cannot be started (as in a shell)."""

_KEPT_LINES = 400


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its return code (negative: killed by that signal) and its last lines."""

    returncode: int
    output: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0


class Commands:
    """Runs commands without a shell, without standard input, in a cleaned environment.

    `lock_fd` is handed down to the children: while a pip that outlived a killed installer still
    writes into `.venv`, the install lock stays taken and nobody else touches the folder.
    """

    def __init__(self, journal: Journal, lock_fd: int | None = None) -> None:
        self._journal = journal
        self._inherited_fds = () if lock_fd is None or sys.platform == "win32" else (lock_fd,)

    def run(
        self,
        command: Sequence[str],
        extra_environment: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Outcome:
        """Runs to the end and captures; a command that takes longer than `timeout_s` is killed."""
        self._journal.log("$ " + " ".join(command))
        started = time.monotonic()
        kept: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=child_environment(os.environ, extra_environment),
                pass_fds=self._inherited_fds,
            )
        except OSError as error:
            self._journal.log(f"  cannot start: {error}")
            return Outcome(NOT_FOUND, str(error))
        with process:
            timer = threading.Timer(timeout_s or 0, process.kill)
            if timeout_s is not None:
                timer.start()
            try:
                for line in process.stdout or ():
                    kept.append(line)
                    self._journal.log("  " + line)
                returncode = process.wait()
            finally:
                timer.cancel()
        self._journal.log(f"  -> {returncode} after {time.monotonic() - started:.1f} s")
        return Outcome(returncode, "".join(kept))

    def show(self, command: Sequence[str]) -> int:
        """Runs with the screen as its output, for programs that draw their own progress."""
        self._journal.log("$ " + " ".join(command))
        try:
            returncode = subprocess.run(
                list(command),
                stdin=subprocess.DEVNULL,
                env=child_environment(os.environ, None),
                pass_fds=self._inherited_fds,
                check=False,
            ).returncode
        except OSError as error:
            self._journal.log(f"  cannot start: {error}")
            return NOT_FOUND
        self._journal.log(f"  -> {returncode}")
        return returncode


def child_environment(
    environment: Mapping[str, str], extra: Mapping[str, str] | None
) -> dict[str, str]:
    """The user's environment without what would lead a child's Python to foreign packages."""
    misleading = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "__PYVENV_LAUNCHER__"}
    cleaned = {name: value for name, value in environment.items() if name not in misleading}
    cleaned.update(PIP_USER="0", PIP_NO_INPUT="1", PYTHONNOUSERSITE="1", PYTHONUTF8="1")
    cleaned.update(extra or {})
    return cleaned
