"""Which models are where, and how much of each memory budget they take."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from modules.core_components import atomic
from modules.core_components.errors import DiskFullError, StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _, mark

logger = logging.getLogger(__name__)


ModelT = TypeVar("ModelT")

HOST = "host"
"""The account of the copies that models leave in CPU memory when they make room on a GPU."""


@dataclass(frozen=True, eq=False)
class ModelSpec(Generic[ModelT]):
    """How one model gets into memory and out again; the pool calls all of it outside its lock.

    `key` names the weights as they lie in memory (see `model_key`), `device` the budget they draw
    on, `nbytes` is the size to reserve until the true one was measured. `load` returns the model
    on its device. `free` is called once, with whichever form the model has then; without it the
    pool just lets go. `to_host` and `to_device` move a model to CPU memory and back and return
    it; an engine that cannot move gives neither. `measure` returns the bytes of a loaded model;
    without it the pool compares the device's memory before and after. With a `busy_hint`, who
    finds no room because of this model's users does not wait for them: it is held for hours.
    `label` is the model's name for people, `instead` names those that would fit where it does
    not. With `keep` it does not leave for being idle, and only last of all to make room.
    """

    key: str
    device: str
    nbytes: int
    load: Callable[[], ModelT]
    free: Callable[[ModelT], None] | None = None
    to_host: Callable[[ModelT], ModelT] | None = None
    to_device: Callable[[ModelT], ModelT] | None = None
    measure: Callable[[ModelT], int] | None = None
    busy_hint: str = ""
    label: str = ""
    instead: Callable[[], Sequence[str]] = tuple
    keep: bool = False

    @property
    def name(self) -> str:
        """What people read."""
        return self.label or self.key.partition("@")[0]

    def __post_init__(self) -> None:
        if (self.to_host is None) != (self.to_device is None):
            raise ValueError(f"{self.key}: give both to_host and to_device, or neither")
        if self.nbytes < 0:
            raise ValueError(f"{self.key}: a model cannot have {self.nbytes} bytes")


def model_key(model_id: str, revision: str, device: str, dtype: str) -> str:
    """The name of one model's weights in memory; everything that makes them different is in it."""
    return f"{model_id}@{revision or 'local'}/{dtype}/{device}"


class Place(str, Enum):
    """Where a model is."""

    LOADING = mark("loading")  # on its way from the disk
    DEVICE = "device"
    LEAVING = mark("leaving")  # being freed, or copied to CPU memory
    HOST = "host"  # swapped out to CPU memory
    RETURNING = mark("returning")  # being copied back
    GONE = "gone"  # no longer in the ledger


@dataclass(frozen=True, eq=False)
class Request:
    """A request for a model or a run slot; a lease once it is granted.

    Smaller numbers came first. `deadline_s` is a time of the pool's clock. The thread that asked
    owns the lease; another one may give it back.
    """

    number: int
    holder: str
    owner: threading.Thread
    cancel: CancelToken | None
    deadline_s: float | None


@dataclass(eq=False)
class Entry:
    """One model in the ledger. `charges` are the bytes it takes, by account."""

    spec: ModelSpec[Any]
    place: Place
    charges: dict[str, int]
    since_s: float
    model: Any = None
    leases: list[Request] = field(default_factory=list)
    mover: Request | None = None
    stale: bool = False
    error: BaseException | None = None

    @property
    def arriving(self) -> bool:
        return self.place in (Place.LOADING, Place.RETURNING)

    @property
    def account(self) -> str:
        """The account the model itself is on; a second charge is for a copy under way."""
        return self.spec.device if self.spec.device in self.charges else HOST

    @property
    def idle(self) -> bool:
        """On its device without a lease."""
        return self.place is Place.DEVICE and not self.leases

    @property
    def at_rest(self) -> bool:
        """Whether it may be evicted."""
        return self.idle or self.place is Place.HOST

    def open_to(self, thread: threading.Thread) -> bool:
        """Whether a new reference may be taken. A stale model stays open to its own users."""
        here = self.arriving or self.place is Place.DEVICE
        return here and (not self.stale or self.held_by({thread}))

    def held_by(self, threads: Collection[threading.Thread]) -> bool:
        """Whether one of `threads` uses the model or waits for it to arrive."""
        return any(lease.owner in threads for lease in self.leases)


@dataclass(frozen=True)
class Resident:
    """One model in memory, for people to see.

    `nbytes` counts every copy; `holders` are those who use it now; `place` is that of `Place`.
    """

    key: str
    device: str
    nbytes: int
    place: str
    holders: tuple[str, ...]
    idle_s: float


Budgets = Mapping[str, int] | Callable[[], Mapping[str, int]]
"""Bytes by account, or a function that finds them out at the first load: it may need torch."""


class MemoryLedger:
    """Entries by key with the bytes they are charged with, and the line of who waits for room.

    What is taken is always summed up from the entries, arriving and leaving ones included, so
    that it cannot drift from them. Nothing here is locked: the pool's lock guards it.
    """

    def __init__(self, budgets: Budgets) -> None:
        self.entries: dict[str, Entry] = {}
        self.waiting: dict[Request, ModelSpec[Any]] = {}
        self._budgets = budgets

    def set_budgets(self, budgets: Budgets) -> None:
        self._budgets = budgets

    def budget(self, account: str) -> int:
        """Raises StudioError for a device that this machine (or its settings) does not have."""
        if callable(self._budgets):
            self._budgets = self._budgets()
        if account in self._budgets:
            return self._budgets[account]
        if account == HOST:
            return 0
        raise StudioError(
            _("There is no memory set aside for models on {account}.", account=account),
            _(
                "Choose a device in Settings that is here: {budgets}.",
                budgets=", ".join(sorted(self._budgets)),
            ),
        )

    def add(self, entry: Entry) -> None:
        self.entries[entry.spec.key] = entry

    def remove(self, entry: Entry) -> None:
        if self.entries.get(entry.spec.key) is entry:
            del self.entries[entry.spec.key]
        entry.place = Place.GONE
        entry.charges.clear()

    def on(self, account: str) -> list[Entry]:
        """The entries that take something of a budget."""
        return [entry for entry in self.snapshot() if account in entry.charges]

    def free_bytes(self, account: str) -> int:
        taken = sum(entry.charges[account] for entry in self.on(account))
        return self.budget(account) - taken

    def evictable(self, account: str) -> list[Entry]:
        """What may leave an account, the longest unused first.

        Not a copy that somebody waits to have back: making room for it would throw it away.
        """
        wanted = {spec.key for spec in self.waiting.values()} if account == HOST else set()
        at_rest = [
            entry
            for entry in self.on(account)
            if entry.at_rest and entry.account == account and entry.spec.key not in wanted
        ]
        return sorted(at_rest, key=lambda entry: (entry.spec.keep, entry.since_s))

    def choose_evictions(self, account: str, nbytes: int) -> tuple[Entry, ...]:
        """The entries to evict, in this order, so that `nbytes` fit.

        Empty where the models that are already leaving free enough, and where evicting every
        idle model would not.
        """
        leaving = sum(
            entry.charges[account]
            for entry in self.on(account)
            if entry.place is Place.LEAVING and entry.account == account
        )
        missing = nbytes - self.free_bytes(account) - leaving
        chosen: list[Entry] = []
        for entry in self.evictable(account):
            if missing <= 0:
                break
            chosen.append(entry)
            missing -= entry.charges[account]
        return tuple(chosen) if missing <= 0 else ()

    def next_eviction(self, account: str, nbytes: int) -> Entry | None:
        """The first of `choose_evictions`; once it is gone, the first of the rest."""
        return next(iter(self.choose_evictions(account, nbytes)), None)

    def pinned_bytes(self, account: str, threads: Collection[threading.Thread]) -> int:
        """What stays taken for as long as `threads` do not let go."""
        return sum(e.charges[account] for e in self.on(account) if e.held_by(threads))

    def holds_any(self, thread: threading.Thread) -> bool:
        """Whether a thread has a lease on any model."""
        return any(entry.held_by({thread}) for entry in self.snapshot())

    def snapshot(self) -> tuple[Entry, ...]:
        return tuple(self.entries.values())


class SizeBook:
    """Measured bytes by model key, kept in a JSON file; without a path, for this process only.

    Of several measurements the largest counts: an allocator that hands out pages it had kept
    makes a model look smaller than it is, never larger. A file that cannot be read or written is
    only a lost optimisation: it is logged, and the catalog's estimates are used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._sizes = self._read()

    def get(self, key: str) -> int | None:
        """The measured bytes, None for a model that was never loaded."""
        return self._sizes.get(key)

    def remember(self, key: str, nbytes: int) -> None:
        with self._lock:
            if nbytes <= self._sizes.get(key, 0):
                return
            # Another process may have measured other models meanwhile.
            self._sizes = {**self._read(), **self._sizes, key: nbytes}
            if self._path is None:
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                atomic.write_json(self._path, self._sizes)
            except (OSError, DiskFullError) as error:
                logger.warning("Could not write %s: %s", self._path, error)

    def _read(self) -> dict[str, int]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(key): int(nbytes) for key, nbytes in content.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.warning("Could not read %s: %s", self._path, error)
            return {}
