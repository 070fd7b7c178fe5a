"""Package clients as child processes that end when the user cancels."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from modules.core_components.errors import DownloadError
from modules.core_components.progress import CancelToken

_TICK_S = 0.2


def run_client(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    cancel: CancelToken,
    tick: Callable[[], None],
) -> None:
    """Runs `command` in `folder`, calling `tick` a few times a second.

    Raises JobCancelled after ending the process with all its children, DownloadError (with the
    last line it wrote) when it fails.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise DownloadError(f"{command[0]} cannot be started ({error}).") from error
        try:
            while process.poll() is None:
                cancel.raise_if_cancelled()
                tick()
                _wait(process)
        finally:
            _end(process)
        if process.returncode != 0:
            output.seek(0)
            raise DownloadError(f"{_name(command)} failed: {_last_line(output.read())}")


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_TICK_S)
    except subprocess.TimeoutExpired:
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process, if it still runs, with everything it started."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], check=False)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _name(command: Sequence[str]) -> str:
    return " ".join(Path(part).name for part in command[:3])


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    errors = [line for line in lines if "error" in line.lower()] or [line for line in lines if line]
    return errors[-1][:300] if errors else "it said nothing"
