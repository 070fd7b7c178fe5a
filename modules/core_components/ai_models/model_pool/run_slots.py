"""How many may compute on a device at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from modules.core_components.ai_models.model_pool.records import Request
from modules.core_components.ai_models.model_pool.waiting_room import Obstacle, WaitingRoom


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
    def taken(self, device: str, request: Request) -> Iterator[None]:
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

    def _wait_for_slot(self, device: str, request: Request, running: list[Request]) -> None:
        obstacle = Obstacle(
            what=f"its turn to compute on {device}",
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
