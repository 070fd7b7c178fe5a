"""Progress and cancellation of long work."""

from __future__ import annotations

import threading
from typing import Protocol

from modules.core_components.errors import JobCancelled


class Progress(Protocol):
    """Called with the fraction done (0 to 1) and a short message in the present tense."""

    def __call__(self, fraction: float, message: str) -> None: ...


def no_progress(fraction: float, message: str) -> None:
    """Ignores progress."""


def scaled(progress: Progress, start: float, end: float) -> Progress:
    """A view of `progress` for a part of the work: its 0..1 becomes start..end."""

    def report(fraction: float, message: str) -> None:
        progress(start + (end - start) * min(max(fraction, 0.0), 1.0), message)

    return report


class CancelToken:
    """Set once by the caller to stop the work, checked often by the work itself."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raises JobCancelled once `cancel` was called."""
        if self._event.is_set():
            raise JobCancelled

    def wait(self, timeout_s: float) -> bool:
        """Sleeps up to timeout_s; True as soon as `cancel` was called."""
        return self._event.wait(timeout_s)
