"""Granting leases and memory in order of arrival: the lock, waiting, deadlocks, run slots."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.model_pool.ledger import (
    Entry,
    MemoryLedger,
    ModelSpec,
    Place,
    Request,
    SizeBook,
)
from modules.core_components.ai_models.model_pool.plans import LoadPlan, Way, plan_load
from modules.core_components.errors import LeaseDeadlockError, ModelBusyError, ModelTooLargeError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _
from modules.core_components.units import memory_text

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
                _(
                    "{holder} waited too long for {what}; in use by {names}.",
                    holder=request.holder,
                    what=obstacle.what,
                    names=_names(obstacle.users()),
                ),
                _("Wait until that is done or cancel it, or raise the memory budget in Settings."),
            )
        self._waiting[request.owner] = obstacle
        try:
            if request.owner in self._stuck():
                raise LeaseDeadlockError(
                    _(
                        "{holder} waits for {what}, which its own leases keep from coming free; "
                        "in use by {names}.",
                        holder=request.holder,
                        what=obstacle.what,
                        names=_names(obstacle.users()),
                    ),
                    _("Raise the memory budget in Settings or choose a smaller model."),
                )
            self.lock.wait(_LOOK_AGAIN_S)
        finally:
            del self._waiting[request.owner]

    def _stuck(self) -> set[threading.Thread]:
        """The waiting threads that can never go on.

        A thread that is not waiting here lets go of everything some day. Starting from those,
        the threads they let through let go as well, and so on; the rest wait for each other.
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
    return "; ".join(users) or _("others that came first")


class Admission:
    """Grants references and reserves room, in order of arrival. Its methods need the lock held."""

    def __init__(
        self, ledger: MemoryLedger, room: WaitingRoom, sizes: SizeBook, clock: Callable[[], float]
    ) -> None:
        self.sizes = sizes
        self._ledger = ledger
        self._room = room
        self._clock = clock

    def grant_or_block(self, spec: ModelSpec[Any], request: Request) -> tuple[Entry, Entry | None]:
        """Waits until the model can be referenced, or room for it reserved, and does that.

        Returns its entry, with `request` among the leases. Or, second, an entry that has to go
        first: it is marked as leaving and to be evicted without the lock before the next try.

        Raises ModelTooLargeError, ModelBusyError, and what waiting raises (see `WaitingRoom.wait`).
        """
        while True:
            entry = self._ledger.entries.get(spec.key)
            first = not self._ahead_of(request, spec.device)
            if entry is not None and entry.open_to(request.owner):
                if first:
                    return self._grant(entry, request), None
                obstacle = self._room_obstacle(request, spec.device, 0)
            elif entry is not None and entry.stale:
                if entry.at_rest:
                    entry.place = Place.LEAVING
                    return entry, entry
                obstacle = self._departure_obstacle(entry)
            else:
                nbytes = self._needed(spec, request)
                self._ledger.waiting[request] = spec
                leaving = entry is not None and entry.place is Place.LEAVING
                if first and not leaving and nbytes <= self._ledger.free_bytes(spec.device):
                    return self._grant(self._reserve(spec, request, nbytes), request), None
                next_eviction = self._ledger.next_eviction(spec.device, nbytes) if first else None
                if next_eviction is not None:
                    next_eviction.place = Place.LEAVING
                    return next_eviction, next_eviction
                self._refuse_behind_long_work(spec, request)
                obstacle = self._room_obstacle(request, spec.device, nbytes)
            self._room.wait(request, obstacle)

    def plan(self, spec: ModelSpec[Any]) -> LoadPlan:
        """What asking for the model would do now. Raises StudioError for an unknown device."""
        return plan_load(self._ledger, spec, self.sizes.get(spec.key), self._clock())

    def leave_line(self, request: Request) -> None:
        """Lets the others pass a request that was granted, failed or given up."""
        if self._ledger.waiting.pop(request, None) is not None:
            self._room.announce()

    def waiting(self) -> tuple[str, ...]:
        """Who waits for room, in the order in which they will get it."""
        return tuple(r.holder for r in sorted(self._ledger.waiting, key=lambda r: r.number))

    def _refuse_behind_long_work(self, spec: ModelSpec[Any], request: Request) -> None:
        """Raises ModelBusyError where waiting would take hours (see `ModelSpec.busy_hint`)."""
        for entry in self._ledger.on(spec.device):
            if entry.spec.busy_hint and entry.leases and entry.spec.key != spec.key:
                holders = ", ".join(lease.holder for lease in entry.leases)
                raise ModelBusyError(
                    _(
                        "{holders} has all the memory of {device}, so {holder} has to wait.",
                        holders=holders,
                        device=spec.device,
                        holder=request.holder,
                    ),
                    entry.spec.busy_hint,
                )

    def _ahead_of(self, request: Request, device: str) -> list[Request]:
        """Who waits for room since earlier.

        None is ahead of a thread that has a lease: they may be waiting for that very lease.
        """
        if self._ledger.holds_any(request.owner):
            return []
        return [
            other
            for other, wanted in self._ledger.waiting.items()
            if wanted.device == device and other.number < request.number
        ]

    def _needed(self, spec: ModelSpec[Any], request: Request) -> int:
        """The bytes to reserve. Raises ModelTooLargeError if they can never be had."""
        plan = self.plan(spec)
        if plan.way is Way.TOO_LARGE:
            raise ModelTooLargeError(plan.in_words())
        if request not in self._ledger.waiting:  # once, not at every try
            logger.info("%s", plan.in_words())
        return plan.nbytes

    def _reserve(self, spec: ModelSpec[Any], request: Request, nbytes: int) -> Entry:
        entry = self._ledger.entries.get(spec.key)
        if entry is None:
            entry = Entry(spec, Place.LOADING, {spec.device: nbytes}, self._clock(), mover=request)
            self._ledger.add(entry)
        else:
            entry.place, entry.mover = Place.RETURNING, request
            entry.charges[spec.device] = nbytes
        return entry

    def _grant(self, entry: Entry, request: Request) -> Entry:
        entry.leases.append(request)
        self.leave_line(request)
        return entry

    def _room_obstacle(self, request: Request, device: str, nbytes: int) -> Obstacle:
        def clears(stuck: Threads) -> bool:
            lets_go = self._ledger.budget(device) - self._ledger.pinned_bytes(device, stuck)
            ahead = self._ahead_of(request, device)
            return nbytes <= lets_go and not any(other.owner in stuck for other in ahead)

        return Obstacle(
            what=_("{memory} of room on {device}", memory=memory_text(nbytes), device=device)
            if nbytes
            else _("its turn on {device}", device=device),
            clears=clears,
            users=lambda: users_of(self._ledger.on(device)),
        )

    def _departure_obstacle(self, entry: Entry) -> Obstacle:
        return Obstacle(
            what=_("{model} to be given back, then loaded anew", model=entry.spec.key),
            clears=lambda stuck: not entry.held_by(stuck),
            users=lambda: users_of([entry]),
        )


class RunSlots:
    """Slots per device (1 unless `counts` says otherwise), given in order of arrival.

    A web queue cannot do this: a cancelled handler frees its place in the queue while its thread
    still computes.
    """

    def __init__(self, room: WaitingRoom, counts: Mapping[str, int]) -> None:
        self.counts = dict(counts)
        self._room = room
        self._running: dict[str, list[Request]] = {}
        self._queues: dict[str, list[Request]] = {}

    @contextmanager
    def acquire(self, device: str, request: Request) -> Iterator[None]:
        """Holds a slot for the block. A thread that has one already goes straight through."""
        with self._room.lock:
            running = self._running.setdefault(device, [])
            nested = any(other.owner is request.owner for other in running)
            if not nested:
                self._wait_for_slot(device, request, running)
                running.append(request)
        try:
            yield
        finally:
            if not nested:
                with self._room.lock:
                    running.remove(request)
                    self._room.announce()

    def in_use(self, device: str) -> bool:
        """Whether anybody computes on the device, or waits for it."""
        return bool(self._running.get(device) or self._queues.get(device))

    def _wait_for_slot(self, device: str, request: Request, running: list[Request]) -> None:
        obstacle = Obstacle(
            what=_("its turn to compute on {device}", device=device),
            clears=lambda stuck: (
                sum(other.owner in stuck for other in running) < self._count(device)
            ),
            users=lambda: sorted(other.holder for other in running),
        )
        queue = self._queues.setdefault(device, [])
        queue.append(request)
        try:
            while len(running) >= self._count(device) or queue[0] is not request:
                self._room.wait(request, obstacle)
        finally:
            queue.remove(request)
            self._room.announce()

    def _count(self, device: str) -> int:
        return max(1, self.counts.get(device, 1))
