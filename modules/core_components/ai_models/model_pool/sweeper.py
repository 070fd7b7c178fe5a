"""The one thread that looks for models nobody has used for a while."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

_SHORTEST_S, _LONGEST_S = 1.0, 60.0


class IdleSweeper:
    """Calls `sweep` now and then from a daemon thread, which starts with the first interval."""

    def __init__(self, sweep: Callable[[], None]) -> None:
        self._sweep = sweep
        self._interval_s: float | None = None
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._stopped = threading.Event()

    def run_every(self, interval_s: float) -> None:
        """Sets the pace; 0 lets the thread sleep until it is woken."""
        self._interval_s = min(max(interval_s, _SHORTEST_S), _LONGEST_S) if interval_s else None
        if interval_s and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="idle-models", daemon=True)
            self._thread.start()
        self._wake.set()

    def wake(self) -> None:
        """Sweeps soon instead of at the next interval."""
        self._wake.set()

    def stop(self) -> None:
        """Ends the thread after the sweep it may be in."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._interval_s)
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                self._sweep()
            except Exception:
                logger.exception("Looking for idle models failed")
