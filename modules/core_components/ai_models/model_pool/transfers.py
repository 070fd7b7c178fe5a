"""Loading models and evicting them: to CPU memory where there is room for a copy, else freed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from modules.core_components.ai_models.model_pool.admission import WaitingRoom
from modules.core_components.ai_models.model_pool.ledger import (
    HOST,
    Entry,
    MemoryLedger,
    Place,
    SizeBook,
)
from modules.core_components.errors import JobCancelled
from modules.core_components.units import memory_text

logger = logging.getLogger(__name__)


class Departures:
    """Puts models out. A locked step marks an entry as leaving, then it is this thread's alone.

    It stays charged until its memory is really free, so that it is not promised too early.
    """

    def __init__(
        self,
        ledger: MemoryLedger,
        room: WaitingRoom,
        clock: Callable[[], float],
        reclaim: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._room = room
        self._clock = clock
        self.reclaim = reclaim
        self.unloads: Counter[str] = Counter()  # by model id; under the room's lock

    def evict(self, entry: Entry) -> None:
        """Takes a leaving model off its device: to CPU memory if it can go there, else away."""
        swapped = False
        try:
            swapped = not entry.stale and self._swapped(entry)
        finally:
            if not swapped:
                self.drop(entry)

    def drop(self, entry: Entry, error: BaseException | None = None) -> None:
        """Frees a model and removes it from the ledger.

        `error` is why it never arrived, for those who waited for it; that somebody cancelled
        only stops himself, the next one then loads it.
        """
        ours_alone = not isinstance(error, Exception) or isinstance(error, JobCancelled)
        with self._room.lock:
            entry.place = Place.LEAVING
            entry.error = None if ours_alone else error
            model, entry.model = entry.model, None
            if model is not None:
                self.unloads[entry.spec.key.partition("@")[0]] += 1
        try:
            if entry.spec.free is not None and model is not None:
                entry.spec.free(model)
        except Exception:
            logger.exception("Freeing %s failed; its memory may stay in use", entry.spec.key)
        finally:
            del model
            try:
                self.reclaim()
            finally:
                with self._room.lock:
                    self._ledger.remove(entry)
                    self._room.announce()

    def evict_all(self, which: Callable[[Entry], bool]) -> int:
        """Puts out the models at rest that `which` names; returns how many."""
        return self._each_at_rest(which, self.evict)

    def drop_all(self, which: Callable[[Entry], bool]) -> int:
        """Frees the models at rest that `which` names; returns how many."""
        return self._each_at_rest(which, self.drop)

    def _each_at_rest(self, which: Callable[[Entry], bool], leave: Callable[[Entry], None]) -> int:
        """Longest unused first. `which` is asked, with the lock held, right before each leaves."""
        with self._room.lock:
            candidates = sorted(self._ledger.snapshot(), key=lambda entry: entry.since_s)
        count = 0
        for entry in candidates:
            with self._room.lock:
                if not (entry.at_rest and which(entry)):
                    continue
                entry.place = Place.LEAVING
            leave(entry)
            count += 1
        return count

    def _swapped(self, entry: Entry) -> bool:
        if entry.spec.to_host is None or not self._reserved_copy(entry):
            return False
        try:
            entry.model = entry.spec.to_host(entry.model)
            self.reclaim()
        except Exception:
            logger.exception("%s could not be swapped to CPU memory; it is freed", entry.spec.key)
            return False
        with self._room.lock:
            del entry.charges[entry.spec.device]
            entry.since_s = self._clock()
            stays = not entry.stale
            if stays:
                entry.place = Place.HOST
            self._room.announce()
        return stays

    def _reserved_copy(self, entry: Entry) -> bool:
        """Reserves CPU memory for a swapped model; copies unused for longer make way for it."""
        nbytes = entry.charges[entry.spec.device]
        while True:
            with self._room.lock:
                if nbytes <= self._ledger.free_bytes(HOST):
                    entry.charges[HOST] = nbytes
                    return True
                oldest = self._ledger.next_eviction(HOST, nbytes)
                if oldest is None:
                    return False
                oldest.place = Place.LEAVING
            self.drop(oldest)


ResultT = TypeVar("ResultT")


class Loading:
    """What the one thread does that reserved the room of a model (`entry.mover`)."""

    def __init__(
        self,
        ledger: MemoryLedger,
        room: WaitingRoom,
        departures: Departures,
        sizes: SizeBook,
        meter: Callable[[str], int],
        out_of_memory: Callable[[BaseException], bool],
    ) -> None:
        self.sizes = sizes
        self._ledger = ledger
        self._room = room
        self._departures = departures
        self._meter = meter
        self._out_of_memory = out_of_memory
        self.loads: Counter[str] = Counter()  # by model id; under the room's lock

    def load_into_device(self, entry: Entry) -> bool:
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
            logger.info("%s takes %s and waits for that much room", spec.key, memory_text(nbytes))
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
        self._departures.evict_all(lambda entry: entry.idle and entry.spec.device == device)
        self._departures.reclaim()
        return work()

    def _loaded(self, entry: Entry) -> int:
        """Loads the model and returns its bytes: measured, or as estimated if that is disturbed.

        The meter sees the whole process, so it only counts when nothing else used the pool.
        """
        spec = entry.spec
        changes = self._room.changes
        alone = self._alone(entry)
        before = self._meter(spec.device)
        entry.model = self.with_memory(spec.device, spec.load)
        with self._room.lock:
            self.loads[spec.key.partition("@")[0]] += 1
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
        """Whether no other model is in use, arriving or leaving."""
        with self._room.lock:
            others = [other for other in self._ledger.snapshot() if other is not entry]
            return all(other.at_rest for other in others)

    def _settled(self, entry: Entry, nbytes: int) -> bool:
        """Books the true size and opens the model to all; False when there is no room for it."""
        device = entry.spec.device
        while True:
            with self._room.lock:
                growth = nbytes - entry.charges[device]
                if growth <= self._ledger.free_bytes(device):
                    entry.charges = {device: nbytes}
                    entry.place = Place.DEVICE
                    self._room.announce()
                    return True
                next_eviction = self._ledger.next_eviction(device, growth)
                if next_eviction is None:
                    return False
                next_eviction.place = Place.LEAVING
            self._departures.evict(next_eviction)
