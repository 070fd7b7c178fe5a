"""What heavy work is under way on Ray, for the page and the terminal, in any process.

The process that hands out the work keeps its state in a file of the cache; others of the same data
root read it. So the page shows what was started in the terminal, too.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from modules.core_components.atomic import write_json
from modules.core_components.errors import StudioError
from modules.core_components.jobs.context import RemainingTime
from modules.tools.services import Services
from modules.tools.work.executor import Tally, folder_owner, own_folder

logger = logging.getLogger(__name__)

_PREFIX, _STATE = "state-", "state.json"
_WRITE_EVERY_S = 1.0
# The speed is that of the last minute, if so many items were done in it; else of all the time.
_WINDOW_S, _LEAST_ITEMS = 60.0, 5


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, how many workers it has, and how many of them are at an item.

    One that is not `here` was in the cluster, and left.
    """

    name: str
    address: str
    here: bool
    cpus: int
    gpus: int
    workers: int = 0
    busy: int = 0


@dataclass(frozen=True)
class UnderWay:
    """Heavy work as it stood a moment ago; `done` counts what was there before, too.

    `a_second` is in items, None until workers have done some; `left_s` is None until it can be
    estimated. `is_own` says whether this process hands it out.
    """

    title: str
    where: str
    items: int
    done: int = 0
    failed: int = 0
    fraction: float = 0.0
    a_second: float | None = None
    left_s: float | None = None
    nodes: tuple[Node, ...] = ()
    is_own: bool = True


class WorkStateFile:
    """Keeps the state of one work in a file, anew about every second."""

    def __init__(
        self,
        path: Path,
        title: str,
        where: str,
        tally: Tally,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._tally = tally
        self._clock = clock
        self._remaining = RemainingTime(clock)
        self._ended: deque[tuple[float, int]] = deque()
        self._written_at = float("-inf")
        skipped = len(tally.skipped)
        self._state = UnderWay(title, where, skipped + len(tally.pending), skipped)
        self.update()

    def update(self, nodes: Sequence[Node] | None = None) -> None:
        """Takes in how far the tally is, and which machines there are now.

        The work does not depend on it: a disk that is full is left to those who write results.
        """
        tally, now = self._tally, self._clock()
        ended = tally.done + tally.failed
        if nodes is not None:
            self._state = replace(self._state, nodes=tuple(nodes))
            if not self._ended and any(node.workers for node in nodes):
                self._ended.append((now, ended))  # starting the workers counts for no speed
        if self._ended and ended > self._ended[-1][1]:
            self._ended.append((now, ended))
        self._state = replace(
            self._state,
            done=len(tally.skipped) + tally.done,
            failed=tally.failed,
            fraction=tally.fraction,
            a_second=self._speed(now),
            left_s=self._remaining.update(tally.fraction) if self._ended else None,
        )
        if nodes is None and now - self._written_at < _WRITE_EVERY_S:
            return
        self._written_at = now
        try:
            write_json(self._path, asdict(self._state))
        except (StudioError, OSError) as error:
            logger.info("The state of the work could not be written: %s", error)

    def _speed(self, now: float) -> float | None:
        while len(self._ended) > _LEAST_ITEMS and now - self._ended[1][0] > _WINDOW_S:
            self._ended.popleft()
        if len(self._ended) < 2 or now <= self._ended[0][0]:
            return None
        return (self._ended[-1][1] - self._ended[0][1]) / (now - self._ended[0][0])


@contextlib.contextmanager
def published_state(
    services: Services, title: str, where: str, tally: Tally
) -> Iterator[WorkStateFile]:
    """A state file that `under_way` finds until the block ends."""
    with own_folder(_folder(services), _PREFIX) as folder:
        yield WorkStateFile(folder / _STATE, title, where, tally)


def under_way(services: Services) -> tuple[UnderWay, ...]:
    """The heavy work of all living processes of this data root, what began last at the end."""
    import psutil

    found = []
    for path in sorted(_folder(services).glob(f"{_PREFIX}*/{_STATE}"), key=_began):
        owner = folder_owner(path.parent, _PREFIX)
        if owner is None or not psutil.pid_exists(owner):
            continue
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            nodes = tuple(Node(**node) for node in about.pop("nodes"))
            state = UnderWay(**about, nodes=nodes)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            logger.info("%s is left out: %s", path, error)  # just ended, or of another version
            continue
        found.append(replace(state, is_own=owner == os.getpid()))
    return tuple(found)


def _folder(services: Services) -> Path:
    return services.settings.cache_folder / "work"


def _began(path: Path) -> float:
    try:
        return path.parent.stat().st_ctime
    except OSError:
        return 0.0
