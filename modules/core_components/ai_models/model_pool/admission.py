"""Who gets a model or room for one, and who has to wait for what."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from modules.core_components.ai_models.model_pool.books import MemoryBooks
from modules.core_components.ai_models.model_pool.plans import (
    LoadPlan,
    Way,
    gib,
    plan_load,
)
from modules.core_components.ai_models.model_pool.records import Entry, ModelSpec, Place, Request
from modules.core_components.ai_models.model_pool.sizes import SizeBook
from modules.core_components.ai_models.model_pool.waiting_room import (
    Obstacle,
    Threads,
    WaitingRoom,
    users_of,
)
from modules.core_components.errors import ModelBusyError, ModelTooLargeError

logger = logging.getLogger(__name__)


class Admission:
    """Grants references and reserves room, in order of arrival. Its methods need the lock held."""

    def __init__(
        self, books: MemoryBooks, room: WaitingRoom, sizes: SizeBook, clock: Callable[[], float]
    ) -> None:
        self.sizes = sizes
        self._books = books
        self._room = room
        self._clock = clock

    def granted_or_blocked(
        self, spec: ModelSpec[Any], request: Request
    ) -> tuple[Entry, Entry | None]:
        """Waits until the model can be referenced, or room for it reserved, and does that.

        Returns its entry, with `request` among the leases. Or, second, an entry that has to go
        first: it is marked as leaving and to be put out without the lock before the next try.

        Raises ModelTooLargeError, ModelBusyError, and what waiting raises (see `WaitingRoom.wait`).
        """
        while True:
            entry = self._books.entries.get(spec.key)
            first = not self._ahead_of(request, spec.device)
            if entry is not None and entry.open_to(request.owner):
                if first:
                    return self._granted(entry, request), None
                obstacle = self._room_obstacle(request, spec.device, 0)
            elif entry is not None and entry.stale:
                if entry.at_rest:
                    entry.place = Place.LEAVING
                    return entry, entry
                obstacle = self._departure_obstacle(entry)
            else:
                nbytes = self._needed(spec, request)
                self._books.line[request] = spec
                leaving = entry is not None and entry.place is Place.LEAVING
                if first and not leaving and nbytes <= self._books.free_bytes(spec.device):
                    return self._granted(self._reserved(spec, request, nbytes), request), None
                victim = self._books.victim(spec.device, nbytes) if first else None
                if victim is not None:
                    victim.place = Place.LEAVING
                    return victim, victim
                self._refuse_behind_long_work(spec, request)
                obstacle = self._room_obstacle(request, spec.device, nbytes)
            self._room.wait(request, obstacle)

    def plan(self, spec: ModelSpec[Any]) -> LoadPlan:
        """What asking for the model would do now. Raises StudioError for an unknown device."""
        return plan_load(self._books, spec, self.sizes.get(spec.key), self._clock())

    def leave_line(self, request: Request) -> None:
        """Lets the others pass a request that was granted, failed or given up."""
        if self._books.line.pop(request, None) is not None:
            self._room.announce()

    def waiting(self) -> tuple[str, ...]:
        """Who waits for room, in the order in which they will get it."""
        return tuple(r.holder for r in sorted(self._books.line, key=lambda r: r.number))

    def _refuse_behind_long_work(self, spec: ModelSpec[Any], request: Request) -> None:
        """Raises ModelBusyError where waiting would take hours (see `ModelSpec.busy_hint`)."""
        for entry in self._books.on(spec.device):
            if entry.spec.busy_hint and entry.leases and entry.spec.key != spec.key:
                holders = ", ".join(lease.holder for lease in entry.leases)
                raise ModelBusyError(
                    f"{holders} has all the memory of {spec.device}, so {request.holder} has to "
                    "wait.",
                    entry.spec.busy_hint,
                )

    def _ahead_of(self, request: Request, device: str) -> list[Request]:
        """Who waits for room since earlier.

        Nobody is ahead of a thread that has a lease: they may be waiting for that very lease.
        """
        if self._books.holds_any(request.owner):
            return []
        return [
            other
            for other, wanted in self._books.line.items()
            if wanted.device == device and other.number < request.number
        ]

    def _needed(self, spec: ModelSpec[Any], request: Request) -> int:
        """The bytes to reserve. Raises ModelTooLargeError if they can never be had."""
        plan = self.plan(spec)
        if plan.way is Way.TOO_LARGE:
            raise ModelTooLargeError(plan.in_words())
        if request not in self._books.line:  # once, not at every try
            logger.info("%s", plan.in_words())
        return plan.nbytes

    def _reserved(self, spec: ModelSpec[Any], request: Request, nbytes: int) -> Entry:
        entry = self._books.entries.get(spec.key)
        if entry is None:
            entry = Entry(spec, Place.LOADING, {spec.device: nbytes}, self._clock(), mover=request)
            self._books.add(entry)
        else:
            entry.place, entry.mover = Place.RETURNING, request
            entry.charges[spec.device] = nbytes
        return entry

    def _granted(self, entry: Entry, request: Request) -> Entry:
        entry.leases.append(request)
        self.leave_line(request)
        return entry

    def _room_obstacle(self, request: Request, device: str, nbytes: int) -> Obstacle:
        def clears(stuck: Threads) -> bool:
            lets_go = self._books.budget(device) - self._books.pinned_bytes(device, stuck)
            ahead = self._ahead_of(request, device)
            return nbytes <= lets_go and not any(other.owner in stuck for other in ahead)

        return Obstacle(
            what=f"{gib(nbytes)} of room on {device}" if nbytes else f"its turn on {device}",
            clears=clears,
            users=lambda: users_of(self._books.on(device)),
        )

    def _departure_obstacle(self, entry: Entry) -> Obstacle:
        return Obstacle(
            what=f"{entry.spec.key} to be given back, then loaded anew",
            clears=lambda stuck: not entry.held_by(stuck),
            users=lambda: users_of([entry]),
        )
