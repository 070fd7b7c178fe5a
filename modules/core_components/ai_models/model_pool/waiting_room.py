"""One lock, and the threads that wait for what it guards to change."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from modules.core_components.ai_models.model_pool.records import Entry, Request
from modules.core_components.errors import LeaseDeadlockError, ModelBusyError
from modules.core_components.progress import CancelToken

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.05  # a cancel token cannot wake a condition, nor can an injected clock

Threads = Collection[threading.Thread]


@dataclass(frozen=True)
class Obstacle:
    """What a request waits for.

    `clears(stuck)` says whether it can go away although the threads `stuck` never let go of
    anything; `users()` are those in the way, by name; `what` completes "waited for ...".
    """

    what: str
    clears: Callable[[Threads], bool]
    users: Callable[[], Iterable[str]]


class WaitingRoom:
    """The lock of the pool, with cancellation, deadlines and deadlock detection on waiting.

    The lock is reentrant because an abandoned generator may be finalised, and so give its lease
    back, by a garbage collection in the middle of a locked step. Locked steps therefore walk over
    copies of what a release changes.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lock = threading.Condition()
        self.changes = 0
        self._clock = clock
        self._numbers = itertools.count()
        self._waiting: dict[threading.Thread, Obstacle] = {}

    def request(self, holder: str, cancel: CancelToken | None, timeout_s: float | None) -> Request:
        """A new request of this thread, behind all earlier ones."""
        owner = threading.current_thread()
        deadline_s = None if timeout_s is None else self._clock() + timeout_s
        return Request(next(self._numbers), holder or owner.name, owner, cancel, deadline_s)

    def announce(self) -> None:
        """Wakes all who wait; called with the lock held after every change."""
        self.changes += 1
        self.lock.notify_all()

    def wait(self, request: Request, obstacle: Obstacle) -> None:
        """Sleeps until something changed; the lock is held before and after.

        Raises JobCancelled, ModelBusyError when the request's time is up, and LeaseDeadlockError
        when the obstacle cannot go away unless this very thread lets go of something.
        """
        if request.cancel is not None:
            request.cancel.raise_if_cancelled()
        if request.deadline_s is not None and self._clock() >= request.deadline_s:
            raise ModelBusyError(
                f"{request.holder} waited too long for {obstacle.what}; "
                f"in use by {_names(obstacle.users())}.",
                "Wait until that is done or cancel it, or raise the memory budget in Settings.",
            )
        self._waiting[request.owner] = obstacle
        try:
            if request.owner in self._stuck():
                raise LeaseDeadlockError(
                    f"{request.holder} waits for {obstacle.what}, "
                    f"which its own leases keep from coming free; "
                    f"in use by {_names(obstacle.users())}.",
                    "Raise the memory budget in Settings or choose a smaller model.",
                )
            self.lock.wait(_LOOK_AGAIN_S)
        finally:
            del self._waiting[request.owner]

    def _stuck(self) -> set[threading.Thread]:
        """The waiting threads that can never go on.

        A thread that is not waiting here lets go of everything some day. Starting from those,
        whoever they let through lets go as well, and so on; the rest wait for each other.
        """
        stuck = set(self._waiting)
        while freed := {thread for thread in stuck if self._waiting[thread].clears(stuck)}:
            stuck -= freed
        return stuck


def users_of(entries: Iterable[Entry]) -> Iterable[str]:
    """Who uses which model, for an error message."""
    for entry in entries:
        holders = sorted({lease.holder for lease in entry.leases})
        if holders:
            yield f"{', '.join(holders)} ({entry.spec.key})"


def _names(users: Iterable[str]) -> str:
    return "; ".join(users) or "others that came first"
