"""Who may work now: a few at once, the others in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken

# Between two looks at whether somebody who waits has left.
_LOOK_AGAIN_S = 0.1


class LineFullError(StudioError):
    """So many are waiting that nobody else may join them."""


class Turns:
    """`at_once` hold a turn, `waiting` more may stand in line. Safe from every thread."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once = max(1, at_once)
        self._may_wait = waiting
        self._changed = threading.Condition()
        self._working = 0
        self._line: list[object] = []

    @property
    def working(self) -> int:
        """How many hold a turn."""
        return self._working

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    @contextmanager
    def taken(self, cancel: CancelToken) -> Iterator[None]:
        """Holds a turn for the block.

        Raises LineFullError at once when the line is full, JobCancelled when `cancel` is set
        while waiting.
        """
        self._wait(cancel)
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _wait(self, cancel: CancelToken) -> None:
        place = object()
        with self._changed:
            if self._working + len(self._line) >= self._at_once + self._may_wait:
                raise LineFullError(
                    f"The studio is busy: {len(self._line)} requests are waiting already.",
                    "Try again in a while, or raise api_queue_length in the settings.",
                )
            self._line.append(place)
            try:
                while self._working >= self._at_once or self._line[0] is not place:
                    cancel.raise_if_cancelled()
                    self._changed.wait(_LOOK_AGAIN_S)
                cancel.raise_if_cancelled()
                self._working += 1
            finally:
                self._line.remove(place)
                self._changed.notify_all()
