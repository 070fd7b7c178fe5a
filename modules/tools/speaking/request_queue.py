"""Who may work now: a few at once, the others in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken

# Between two looks at whether somebody who waits has left.
_LOOK_AGAIN_S = 0.1


class LineFullError(StudioError):
    """So many are waiting that nobody else may join them."""


class RequestNameTakenError(StudioError):
    """Somebody of that name works or waits already."""


@dataclass(frozen=True)
class Place:
    """Where a request stands: 1 is the next to get a turn, 0 has one. Names are unique."""

    name: str
    number: int

    @property
    def state(self) -> str:
        """ "waiting" or "working"."""
        return "waiting" if self.number else "working"


class Turns:
    """`at_once` hold a turn, `may_wait` more may stand in line. Safe from every thread."""

    def __init__(self, at_once: int, may_wait: int) -> None:
        self.at_once = max(1, at_once)
        self.may_wait = may_wait
        self._changed = threading.Condition()
        self._working: list[str] = []
        self._line: list[str] = []

    @property
    def working(self) -> int:
        """How many hold a turn; waits for no lock."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """How many stand in line; waits for no lock."""
        return len(self._line)

    def places(self) -> tuple[Place, ...]:
        """Everybody: first those who work, then the line in its order."""
        with self._changed:
            numbered = enumerate(self._line, 1)
            working = tuple(Place(name, 0) for name in self._working)
            return working + tuple(Place(name, number) for number, name in numbered)

    @contextmanager
    def taken(self, cancel: CancelToken, name: str = "") -> Iterator[None]:
        """Holds a turn for the block.

        Raises LineFullError at once when the line is full, RequestNameTakenError when one of that
        `name` is there already, JobCancelled when `cancel` is set while waiting.
        """
        name = name or uuid4().hex
        self._wait(name, cancel)
        try:
            yield
        finally:
            with self._changed:
                self._working.remove(name)
                self._changed.notify_all()

    def _wait(self, name: str, cancel: CancelToken) -> None:
        with self._changed:
            self._refuse_if_full_or_taken(name)
            self._line.append(name)
            try:
                while len(self._working) >= self.at_once or self._line[0] != name:
                    cancel.raise_if_cancelled()
                    self._changed.wait(_LOOK_AGAIN_S)
                cancel.raise_if_cancelled()
                self._working.append(name)
            finally:
                self._line.remove(name)
                self._changed.notify_all()

    def _refuse_if_full_or_taken(self, name: str) -> None:
        if name in self._working or name in self._line:
            raise RequestNameTakenError(
                f"A request {name!r} is being worked on already.",
                "Give every request an id of its own, or none at all.",
            )
        if len(self._working) + len(self._line) >= self.at_once + self.may_wait:
            raise LineFullError(
                f"The studio is busy: {len(self._line)} requests are waiting already.",
                "Try again in a while, or raise api_queue_length in the settings.",
            )
