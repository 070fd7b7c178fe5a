"""How long a job will still take."""

from __future__ import annotations

import collections
from collections.abc import Callable

_WINDOW_S = 30.0
_FIRST_AFTER_S = 2.0
_SMOOTHING = 0.3


class RemainingTime:
    """The time left, from the rate of the last 30 s, smoothed; None until there is a rate.

    Progress that goes backwards starts it anew.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._points: collections.deque[tuple[float, float]] = collections.deque()
        self._eta_s: float | None = None
        self._estimated_at = 0.0

    def update(self, fraction: float) -> float | None:
        """Takes in the fraction done (0 to 1); returns the estimate in seconds."""
        now = self._clock()
        if self._points and fraction < self._points[-1][1]:
            self._points.clear()
            self._eta_s = None
        self._points.append((now, fraction))
        while len(self._points) > 2 and now - self._points[1][0] > _WINDOW_S:
            self._points.popleft()
        first_time, first_fraction = self._points[0]
        if now - first_time < _FIRST_AFTER_S or fraction <= first_fraction:
            return self._eta_s
        fresh_s = (1 - fraction) * (now - first_time) / (fraction - first_fraction)
        if self._eta_s is not None:
            expected_s = max(0.0, self._eta_s - (now - self._estimated_at))
            fresh_s = expected_s + _SMOOTHING * (fresh_s - expected_s)
        self._eta_s, self._estimated_at = fresh_s, now
        return fresh_s
