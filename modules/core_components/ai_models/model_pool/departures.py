"""How models leave memory: swapped to the CPU where there is room for a copy, else freed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from modules.core_components.ai_models.model_pool.books import MemoryBooks
from modules.core_components.ai_models.model_pool.records import HOST, Entry, Place
from modules.core_components.ai_models.model_pool.waiting_room import WaitingRoom
from modules.core_components.errors import JobCancelled

logger = logging.getLogger(__name__)


class Departures:
    """Puts models out. A locked step marks an entry as leaving, then it is this thread's alone.

    It stays charged until its memory is really free, so that nobody is promised it too early.
    """

    def __init__(
        self,
        books: MemoryBooks,
        room: WaitingRoom,
        clock: Callable[[], float],
        reclaim: Callable[[], None],
    ) -> None:
        self._books = books
        self._room = room
        self._clock = clock
        self.reclaim = reclaim

    def put_out(self, entry: Entry) -> None:
        """Takes a leaving model off its device: to CPU memory if it can go there, else away."""
        swapped = False
        try:
            swapped = not entry.stale and self._swapped(entry)
        finally:
            if not swapped:
                self.drop(entry)

    def drop(self, entry: Entry, error: BaseException | None = None) -> None:
        """Frees a model and strikes it from the books.

        `error` is why it never arrived, for those who waited for it; that somebody cancelled
        only stops himself, the next one then loads it.
        """
        ours_alone = not isinstance(error, Exception) or isinstance(error, JobCancelled)
        with self._room.lock:
            entry.place = Place.LEAVING
            entry.error = None if ours_alone else error
        model, entry.model = entry.model, None
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
                    self._books.remove(entry)
                    self._room.announce()

    def put_out_all(self, which: Callable[[Entry], bool]) -> int:
        """Puts out the models at rest that `which` names; returns how many."""
        return self._each_at_rest(which, self.put_out)

    def drop_all(self, which: Callable[[Entry], bool]) -> int:
        """Frees the models at rest that `which` names; returns how many."""
        return self._each_at_rest(which, self.drop)

    def _each_at_rest(self, which: Callable[[Entry], bool], leave: Callable[[Entry], None]) -> int:
        """Longest unused first. `which` is asked, with the lock held, right before each leaves."""
        with self._room.lock:
            candidates = sorted(self._books.snapshot(), key=lambda entry: entry.since_s)
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
                if nbytes <= self._books.free_bytes(HOST):
                    entry.charges[HOST] = nbytes
                    return True
                oldest = self._books.victim(HOST, nbytes)
                if oldest is None:
                    return False
                oldest.place = Place.LEAVING
            self.drop(oldest)
