"""How far a download is, and how fast."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from modules.core_components.ai_models.downloads.disk import megabytes
from modules.core_components.progress import Progress

_REPORT_EVERY_S = 0.1
_SPEED_WINDOW_S = 5.0


class Meter:
    """Counts the bytes of all files together and reports them, at most ten times a second.

    `total_bytes` 0 means unknown: then the fraction stays 0 until the end.
    """

    def __init__(
        self,
        progress: Progress,
        total_bytes: int,
        source: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._total = total_bytes
        self._source = source
        self._clock = clock
        self._base = 0
        self._file = ""
        self._here = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._reported = float("-inf")

    def start(self, file: str) -> None:
        """The next file: what was counted before it stays counted."""
        self._base += self._here
        self._file, self._here = file, 0

    def at(self, here: int, arrived: bool = True) -> None:
        """`here` bytes of the file are there; not `arrived`: they were found, not transferred."""
        now = self._clock()
        if not arrived or here < self._here:
            self._recent.clear()
        self._here = here
        self._recent.append((now, self._base + here))
        while now - self._recent[0][0] > _SPEED_WINDOW_S:
            self._recent.popleft()
        if now - self._reported >= _REPORT_EVERY_S:
            self._reported = now
            self._progress(self._fraction(), self._message())

    def _fraction(self) -> float:
        return min((self._base + self._here) / self._total, 1.0) if self._total else 0.0

    def _message(self) -> str:
        done = megabytes(self._base + self._here)
        of_total = f" of {megabytes(self._total)}" if self._total else ""
        return f"{self._file}: {done}{of_total}{self._speed()} from {self._source}"

    def _speed(self) -> str:
        (start, first), (end, last) = self._recent[0], self._recent[-1]
        measured = last > first and end - start > 0.5
        return f", {megabytes((last - first) / (end - start))}/s" if measured else ""
