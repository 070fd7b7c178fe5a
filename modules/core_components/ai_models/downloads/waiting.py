"""Calls that may hang (name look-ups, stalled sockets), made so that a user can still cancel.

A blocked system call cannot be interrupted from Python, so the call runs in a daemon thread and
only the waiting is broken off.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from modules.core_components.errors import DownloadError
from modules.core_components.progress import CancelToken

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
                raise DownloadError(f"{what} sent nothing for {timeout_s:.0f} s.") from None


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
