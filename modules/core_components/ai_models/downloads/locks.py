"""One download at a time: across processes by a file lock, across threads by sharing one flight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from modules.core_components.ai_models.downloads.waiting import POLL_S
from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken, Progress, no_progress

T = TypeVar("T")


@contextmanager
def process_lock(
    path: Path, cancel: CancelToken, progress: Progress = no_progress
) -> Iterator[None]:
    """Holds the lock file; the system frees it when its process dies. Waiting can be cancelled."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(path.name + ".lock"))
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            progress(0.0, "Waiting for another window of the studio that downloads it")
            if cancel.wait(POLL_S):
                cancel.raise_if_cancelled()
    try:
        yield
    finally:
        lock.release()


@dataclass
class _Flight(Generic[T]):
    done: threading.Event = field(default_factory=threading.Event)
    listeners: list[Progress] = field(default_factory=list)
    result: T | None = None
    error: BaseException | None = None

    def report(self, fraction: float, message: str) -> None:
        for listener in tuple(self.listeners):
            listener(fraction, message)


class SharedWork(Generic[T]):
    """Runs one piece of work per key; who asks meanwhile waits for it and shares what comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[T]] = {}

    def run(
        self, key: str, work: Callable[[Progress], T], progress: Progress, cancel: CancelToken
    ) -> T:
        """The result of `work`, this caller's or another's.

        A caller who cancels stops only itself: when the one that worked gave up, the next one
        that waits begins anew.
        """
        while True:
            with self._lock:
                flight = self._flights.get(key)
                leads = flight is None
                if flight is None:
                    flight = self._flights[key] = _Flight[T]()
                flight.listeners.append(progress)
            if leads:
                return self._lead(key, flight, work)
            self._follow(flight, progress, cancel)
            if isinstance(flight.error, JobCancelled):
                continue
            if flight.error is not None:
                raise flight.error
            return flight.result  # type: ignore[return-value]

    def _lead(self, key: str, flight: _Flight[T], work: Callable[[Progress], T]) -> T:
        try:
            flight.result = work(flight.report)
            return flight.result
        except BaseException as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[key]
            flight.done.set()

    def _follow(self, flight: _Flight[T], progress: Progress, cancel: CancelToken) -> None:
        while not flight.done.wait(POLL_S):
            if cancel.cancelled:
                flight.listeners.remove(progress)
                cancel.raise_if_cancelled()
