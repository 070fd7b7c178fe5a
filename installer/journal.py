"""What the installer tells: short lines on the screen, everything in install.log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_MAX_LOG_BYTES = 2_000_000
_LABEL_WIDTH = 12


class Journal:
    """Writes to the screen and to a log file that grows over runs (begun anew above 2 MB)."""

    def __init__(self, log_path: Path, screen: TextIO) -> None:
        fresh = not log_path.exists() or log_path.stat().st_size > _MAX_LOG_BYTES
        self._file = log_path.open("w" if fresh else "a", encoding="utf-8", errors="replace")
        self._screen = screen
        self._screen_lock = threading.Lock()
        self.log(f"==== {time.strftime('%Y-%m-%d %H:%M:%S %z')} ====")

    def log(self, text: str) -> None:
        """A line for the file only."""
        self._file.write(text.rstrip("\n") + "\n")
        self._file.flush()

    def say(self, label: str, text: str) -> None:
        """One short line for both, like `PyTorch      2.13.0+cpu`."""
        line = f"  {label:<{_LABEL_WIDTH}} {text}"
        self.log(line)
        with self._screen_lock:
            self._screen.write(line + "\n")
            self._screen.flush()

    @contextmanager
    def activity(self, label: str, text: str) -> Iterator[None]:
        """Shows `text` while the block runs; on a terminal with the seconds counting."""
        if not self._screen.isatty():
            self.say(label, f"{text} ...")
            yield
            return
        self.log(f"  {label:<{_LABEL_WIDTH}} {text} ...")
        finished = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(label, text, finished), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            finished.set()
            ticker.join()

    def _tick(self, label: str, text: str, finished: threading.Event) -> None:
        started = time.monotonic()
        line = ""
        while True:
            line = f"  {label:<{_LABEL_WIDTH}} {text} ... {time.monotonic() - started:.0f} s"
            with self._screen_lock:
                self._screen.write("\r" + line)
                self._screen.flush()
            if finished.wait(1.0):
                break
        with self._screen_lock:
            self._screen.write("\r" + " " * len(line) + "\r")

    def close(self) -> None:
        self._file.close()
