"""What the handler of a running job gets: progress, log, cancellation, and the estimate."""

from __future__ import annotations

import collections
import logging
import sqlite3
import threading
import time
from collections.abc import Callable

from modules.core_components.errors import StudioError
from modules.core_components.jobs.store import JobStore
from modules.core_components.progress import CancelToken, current_phase

logger = logging.getLogger(__name__)


_WINDOW_S = 30.0
_FIRST_AFTER_S = 2.0
_SMOOTHING = 0.3


class RemainingTime:
    """The time left of a phase, from its own rate in the last 30 s, smoothed.

    None until the phase has a rate: that of another says nothing. A new phase, and progress that
    goes backwards, start it anew.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._points: collections.deque[tuple[float, float]] = collections.deque()
        self._eta_s: float | None = None
        self._estimated_at = 0.0
        self._phase = (0.0, 1.0)

    def update(self, fraction: float, phase: tuple[float, float] = (0.0, 1.0)) -> float | None:
        """Takes in the fraction done of the whole, and from where to where in it the phase is.

        Returns the seconds that are left of the phase.
        """
        now = self._clock()
        if self._points and (fraction < self._points[-1][1] or phase != self._phase):
            self._points.clear()
            self._eta_s = None
        self._phase = phase
        self._points.append((now, fraction))
        while len(self._points) > 2 and now - self._points[1][0] > _WINDOW_S:
            self._points.popleft()
        first_time, first_fraction = self._points[0]
        if now - first_time < _FIRST_AFTER_S or fraction <= first_fraction:
            return self._eta_s
        fresh_s = max(phase[1] - fraction, 0.0) * (now - first_time) / (fraction - first_fraction)
        if self._eta_s is not None:
            expected_s = max(0.0, self._eta_s - (now - self._estimated_at))
            fresh_s = expected_s + _SMOOTHING * (fresh_s - expected_s)
        self._eta_s, self._estimated_at = fresh_s, now
        return fresh_s


class JobContext:
    """Given to a job's handler; `progress` and `log` may be called as often as it likes.

    They only note what is new. `flush` writes it down; the runner calls it some times a second, so
    a handler never waits for the disk and its last word is always written.
    """

    def __init__(
        self, store: JobStore, job_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.job_id = job_id
        self.cancel = CancelToken()
        self._store = store
        self._remaining = RemainingTime(clock)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._latest: tuple[float, str, float | None] = (0.0, "", None)
        self._lines: list[str] = []
        self._is_new = False
        self._closed = False

    def progress(self, fraction: float, message: str) -> None:
        """Reports the fraction done (0 to 1) and what is being done."""
        if fraction != fraction:  # NaN: a division of nothing by nothing; keep what was known
            fraction = self._latest[0]
        fraction = min(max(fraction, 0.0), 1.0)
        with self._lock:
            self._latest = (fraction, message, self._remaining.update(fraction, current_phase()))
            self._is_new = True

    def log(self, text: str) -> None:
        """Adds to the job's log; only the last lines are kept."""
        with self._lock:
            self._lines.extend(text.splitlines())
            self._is_new = True

    def flush(self) -> None:
        """Writes what is new, and reads whether any process cancelled the job."""
        with self._writing:
            if not self._closed:
                self._write()

    def close(self) -> None:
        """The last flush."""
        with self._writing:
            self._write()
            self._closed = True

    def _write(self) -> None:
        with self._lock:
            latest, lines, is_new = self._latest, self._lines, self._is_new
            self._lines, self._is_new = [], False
        try:
            if is_new:
                asked_to_stop = self._store.report(self.job_id, *latest, lines)
            else:
                asked_to_stop = self._store.cancel_requested(self.job_id)
        except (StudioError, sqlite3.Error) as error:  # the work itself goes on
            logger.warning("Progress of job %s could not be written: %s", self.job_id, error)
            return
        if asked_to_stop:
            self.cancel.cancel()
