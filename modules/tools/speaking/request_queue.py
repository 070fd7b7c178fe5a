"""Requests that wait for their turn: a few are worked on at once, the others in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _

# How often a waiting request checks whether it was cancelled.
_CHECK_EVERY_S = 0.1


class QueueFullError(StudioError):
    """No more requests may wait."""


class RequestIdTakenError(StudioError):
    """A request of that id is worked on or waits already."""


@dataclass(frozen=True)
class Place:
    """Where a request stands: 1 is the next to be worked on, 0 has begun. Ids are unique."""

    request_id: str
    number: int

    @property
    def state(self) -> str:
        """ "waiting" or "working"."""
        return "waiting" if self.number else "working"


class RequestQueue:
    """Works on `at_once` requests while `may_wait` more wait. Safe from every thread."""

    def __init__(self, at_once: int, may_wait: int) -> None:
        self.at_once = max(1, at_once)
        self.may_wait = may_wait
        self._changed = threading.Condition()
        self._working: list[str] = []
        self._waiting: list[str] = []

    @property
    def working(self) -> int:
        """How many are worked on; takes no lock."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """How many wait; takes no lock."""
        return len(self._waiting)

    def places(self) -> tuple[Place, ...]:
        """All requests: those that are worked on, then those that wait, in order."""
        with self._changed:
            numbered = enumerate(self._waiting, 1)
            working = tuple(Place(request_id, 0) for request_id in self._working)
            return working + tuple(Place(request_id, number) for number, request_id in numbered)

    @contextmanager
    def turn(self, cancel: CancelToken, request_id: str = "") -> Iterator[None]:
        """Waits for the request's turn, and holds it for the block.

        Raises QueueFullError at once if too many wait, RequestIdTakenError if the id is in use,
        JobCancelled when `cancel` is set while waiting.
        """
        request_id = request_id or uuid4().hex
        self._wait(request_id, cancel)
        try:
            yield
        finally:
            with self._changed:
                self._working.remove(request_id)
                self._changed.notify_all()

    def _wait(self, request_id: str, cancel: CancelToken) -> None:
        with self._changed:
            self._check(request_id)
            self._waiting.append(request_id)
            try:
                while len(self._working) >= self.at_once or self._waiting[0] != request_id:
                    cancel.raise_if_cancelled()
                    self._changed.wait(_CHECK_EVERY_S)
                cancel.raise_if_cancelled()
                self._working.append(request_id)
            finally:
                self._waiting.remove(request_id)
                self._changed.notify_all()

    def _check(self, request_id: str) -> None:
        if request_id in self._working or request_id in self._waiting:
            raise RequestIdTakenError(
                _("A request {request_id!r} is being worked on already.", request_id=request_id),
                _("Give every request an id of its own, or none at all."),
            )
        if len(self._working) + len(self._waiting) >= self.at_once + self.may_wait:
            raise QueueFullError(
                _(
                    "The studio is busy: {count} requests are waiting already.",
                    count=len(self._waiting),
                ),
                _("Try again later, or raise “Longest API queue” in the settings."),
            )
