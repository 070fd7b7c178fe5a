"""A studio of our own for a benchmark, and what its process takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from modules.core_components.settings import MODELS_FOLDER_VARIABLE

APP = Path(__file__).resolve().parent.parent / "app.py"
_OPENS_WITHIN_S = 120.0


@contextmanager
def running_studio(data_root: Path, app: Path = APP) -> Iterator[tuple[str, int]]:
    """Starts the studio and gives its address and process id as soon as /health answers.

    It keeps its own things in `data_root`; the models are those of that copy of the program.
    """
    command = [sys.executable, str(app), "--port", "0", "--no-browser"]
    process = subprocess.Popen(
        [*command, "--data-root", str(data_root)],
        stdout=subprocess.PIPE,
        text=True,
        env={MODELS_FOLDER_VARIABLE: str(app.parent / "base_models"), **os.environ},
    )
    try:
        for line in process.stdout or ():
            if found := re.search(r"http://[\d.]+:\d+", line):
                threading.Thread(target=process.communicate, daemon=True).start()
                await_health(found.group())
                yield found.group(), process.pid
                return
        raise SystemExit("The studio did not open.")
    finally:
        process.terminate()
        process.wait(30)


def await_health(url: str) -> None:
    """Returns when the server answers; SystemExit when it does not within two minutes."""
    end = time.monotonic() + _OPENS_WITHIN_S
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise SystemExit(f"{url}/health does not answer.")


def seconds_until_idle(http: httpx.Client) -> float:
    """How long the server still works on requests, from now."""
    start = time.monotonic()
    while http.get("/health").json()["working"]:
        time.sleep(0.02)
    return time.monotonic() - start
