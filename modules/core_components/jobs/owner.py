"""Which process a job belongs to, and whether that process still lives."""

from __future__ import annotations

import os
from dataclasses import dataclass

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
