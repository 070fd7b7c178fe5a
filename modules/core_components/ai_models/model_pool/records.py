"""What the pool keeps books about: what can be loaded, what is loaded, and who asked for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from modules.core_components.progress import CancelToken

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

    LOADING = "loading"  # on its way from the disk
    DEVICE = "device"
    LEAVING = "leaving"  # being freed, or copied to CPU memory
    HOST = "host"  # swapped out to CPU memory
    RETURNING = "returning"  # being copied back
    GONE = "gone"  # no longer in the books


@dataclass(frozen=True, eq=False)
class Request:
    """One wish for a model or a run slot; a lease once it is granted.

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
    """One model in the books. `charges` are the bytes it takes, by account."""

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
        """On its device and nobody uses it."""
        return self.place is Place.DEVICE and not self.leases

    @property
    def at_rest(self) -> bool:
        """May be put out."""
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
