"""Bringing a reserved model in: from disk or from CPU memory, measured, without the lock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from modules.core_components.ai_models.model_pool.books import MemoryBooks
from modules.core_components.ai_models.model_pool.departures import Departures
from modules.core_components.ai_models.model_pool.plans import gib
from modules.core_components.ai_models.model_pool.records import Entry, Place
from modules.core_components.ai_models.model_pool.sizes import SizeBook
from modules.core_components.ai_models.model_pool.waiting_room import WaitingRoom

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class Loading:
    """What the one thread does that reserved the room of a model (`entry.mover`)."""

    def __init__(
        self,
        books: MemoryBooks,
        room: WaitingRoom,
        departures: Departures,
        sizes: SizeBook,
        meter: Callable[[str], int],
        out_of_memory: Callable[[BaseException], bool],
    ) -> None:
        self.sizes = sizes
        self._books = books
        self._room = room
        self._departures = departures
        self._meter = meter
        self._out_of_memory = out_of_memory

    def brought_in(self, entry: Entry) -> bool:
        """Puts the model in place, open to all who wait for it.

        False when it proved larger than there is room: it is gone again, its true size known.
        Whatever the load raises is raised here, after the entry is gone.
        """
        spec, brought = entry.spec, False
        try:
            if entry.place is Place.RETURNING and spec.to_device is not None:
                copy_back = partial(spec.to_device, entry.model)
                entry.model = self.with_memory(spec.device, copy_back)
                nbytes = entry.charges[spec.device]
            else:
                nbytes = self._loaded(entry)
            brought = self._settled(entry, nbytes)
        except BaseException as error:
            self._departures.drop(entry, error)
            raise
        if not brought:
            logger.info("%s takes %s and waits for that much room", spec.key, gib(nbytes))
            self._departures.drop(entry)
        return brought

    def with_memory(self, device: str, work: Callable[[], ResultT]) -> ResultT:
        """Runs `work`; when memory runs out, the idle models leave `device` and it runs again."""
        try:
            return work()
        except Exception as error:
            if not self._out_of_memory(error):
                raise
            logger.warning("Out of memory on %s: freeing idle models, then one more try", device)
        # Outside the except block: the traceback would keep the failed attempt's tensors alive.
        self._departures.put_out_all(lambda entry: entry.idle and entry.spec.device == device)
        self._departures.reclaim()
        return work()

    def _loaded(self, entry: Entry) -> int:
        """Loads the model and returns its bytes: measured, or as estimated if that is disturbed.

        The meter sees the whole process, so it only counts when nobody else used the pool.
        """
        spec = entry.spec
        changes = self._room.changes
        alone = self._alone(entry)
        before = self._meter(spec.device)
        entry.model = self.with_memory(spec.device, spec.load)
        if spec.measure is not None:
            nbytes = spec.measure(entry.model)
        else:
            nbytes = self._meter(spec.device) - before
            alone = alone and self._alone(entry) and changes == self._room.changes
        if nbytes <= 0 or not (alone or spec.measure):
            return entry.charges[spec.device]
        self.sizes.remember(spec.key, nbytes)
        return nbytes

    def _alone(self, entry: Entry) -> bool:
        """Whether nobody uses, brings or moves any other model."""
        with self._room.lock:
            others = [other for other in self._books.snapshot() if other is not entry]
            return all(other.at_rest for other in others)

    def _settled(self, entry: Entry, nbytes: int) -> bool:
        """Books the true size and opens the model to all; False when there is no room for it."""
        device = entry.spec.device
        while True:
            with self._room.lock:
                growth = nbytes - entry.charges[device]
                if growth <= self._books.free_bytes(device):
                    entry.charges = {device: nbytes}
                    entry.place = Place.DEVICE
                    self._room.announce()
                    return True
                victim = self._books.victim(device, growth)
                if victim is None:
                    return False
                victim.place = Place.LEAVING
            self._departures.put_out(victim)
