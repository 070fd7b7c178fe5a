"""Progress and cancellation of long work, and waiting that can be cancelled."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from modules.core_components.errors import DownloadError, JobCancelled
from modules.core_components.texts import _


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


# The part of the whole, from and to a fraction, that the progress reported now belongs to.
_PHASE: ContextVar[tuple[float, float]] = ContextVar("phase", default=(0.0, 1.0))


def phase(progress: Progress, start: float, end: float) -> Progress:
    """Like `scaled`, for a part that does other work than the rest, at a speed of its own.

    How long it takes says nothing about the others (see `current_phase`). Its last word, "Done"
    perhaps, would not be true of the whole, and is left out unless the whole ends with it.
    """
    part = scaled(progress, start, end)
    latest = ""

    def report(fraction: float, message: str) -> None:
        nonlocal latest
        if fraction < 1 or end >= 1:
            latest = message
        inner_start, inner_end = _PHASE.get()
        width = end - start
        token = _PHASE.set((start + width * inner_start, start + width * inner_end))
        try:
            part(fraction, latest)
        finally:
            _PHASE.reset(token)

    return report


def current_phase() -> tuple[float, float]:
    """For a Progress that is called: from and to which fraction the present phase is."""
    return _PHASE.get()


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


# A blocked system call (a name look-up, a stalled socket) cannot be interrupted from Python: it
# runs in a daemon thread, and a cancel ends only the waiting.

T = TypeVar("T")

POLL_S = 0.1


def take(box: queue.Queue[T], cancel: CancelToken, timeout_s: float, what: str) -> T:
    """The next item of `box`. Raises JobCancelled, or DownloadError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return box.get(timeout=POLL_S)
        except queue.Empty:
            cancel.raise_if_cancelled()
            if time.monotonic() > deadline:
                raise DownloadError(
                    _("{what} sent nothing for {timeout_s:.0f} s.", what=what, timeout_s=timeout_s)
                ) from None


def call(function: Callable[[], T], cancel: CancelToken, timeout_s: float, what: str) -> T:
    """The result of `function`, or what it raised. Raises like `take` when it does not return."""
    box: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(1)

    def work() -> None:
        try:
            box.put((function(), None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            box.put((None, error))

    threading.Thread(target=work, name=f"waiting for {what}", daemon=True).start()
    result, error = take(box, cancel, timeout_s, what)
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


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
    """Runs one piece of work per key; other callers wait for it and share its result."""

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
