"""A job as a value, its states, and the process that it belongs to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.core_components.texts import mark

# Stored as they are; `_` translates them where they are shown.
QUEUED = mark("queued")
RUNNING = mark("running")
DONE = mark("done")
FAILED = mark("failed")
CANCELLED = mark("cancelled")
INTERRUPTED = mark("interrupted")

ACTIVE = (QUEUED, RUNNING)
FINISHED = (DONE, FAILED, CANCELLED)
RESUMABLE = (INTERRUPTED, FAILED, CANCELLED)


@dataclass(frozen=True)
class Job:
    """A piece of long work as it stood when it was looked up.

    `created`, `started` and `finished` are Unix seconds; `payload` and `result` plain JSON.
    `interrupted` means that its process ended before it did: it can be resumed or dismissed.
    `cancel_requested` is set while a running job has been asked to stop and has not yet stopped.
    `page` is the id of the page that queued it; "" for what a program or the studio itself queued.
    """

    id: str
    kind: str
    title: str
    state: str
    created: float
    payload: Mapping[str, Any]
    fraction: float = 0.0
    message: str = ""
    eta_s: float | None = None
    started: float | None = None
    finished: float | None = None
    result: Mapping[str, Any] | None = None
    error: str = ""
    hint: str = ""
    log: tuple[str, ...] = ()
    cancel_requested: bool = False
    page: str = ""

    @property
    def is_active(self) -> bool:
        """Queued or running."""
        return self.state in ACTIVE


# The system derives start times from its clock, which may be set in between.
_SAME_START_S = 2.0


@dataclass(frozen=True)
class Owner:
    """A process: its id, and when it started (Unix seconds), since ids are given out again."""

    pid: int
    started: float

    def is_alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        import psutil

        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return bool(abs(process.create_time() - self.started) < _SAME_START_S)
        except psutil.AccessDenied:
            return True  # somebody else's process; it does live
        except psutil.NoSuchProcess:
            return False


def this_process() -> Owner:
    """The process that calls."""
    import psutil

    return Owner(os.getpid(), psutil.Process().create_time())
