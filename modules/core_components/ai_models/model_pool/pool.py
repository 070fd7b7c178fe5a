"""The only way to touch weights: `with pool.lease(spec, cancel) as model:`.

One pool for the process; speaking, listening and training draw on the same budgets. What holds
at all times (each with a test in tests/core_components/ai_models/test_model_pool.py):

 1. one load per key, however many ask at once
 2. arriving, resident and leaving models together never exceed a budget
 3. a leased model is never freed
 4. look-up and reference are one locked step
 5. loading, copying and freeing run outside the lock
 6. a failed load leaves nothing behind, and all who waited for it get its error
 7. a model invalidated while leased goes at its last release
 8. room is given in order of arrival; too large fails at once, too busy names the user
 9. waiting only on one's own leases is reported as a deadlock
10. idle models leave by one daemon thread, on an injectable clock
11. on out-of-memory the idle models go, then one more try, then the error
12. sizes are measured at load and remembered
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from modules.core_components.ai_models.model_pool.admission import (
    Admission,
    Obstacle,
    RunSlots,
    Threads,
    WaitingRoom,
)
from modules.core_components.ai_models.model_pool.budgets import is_out_of_memory, memory_in_use
from modules.core_components.ai_models.model_pool.ledger import (
    HOST,
    Budgets,
    Entry,
    MemoryLedger,
    ModelSpec,
    Place,
    Request,
    Resident,
    SizeBook,
)
from modules.core_components.ai_models.model_pool.plans import LoadPlan, what_else_fits
from modules.core_components.ai_models.model_pool.transfers import Departures, Loading
from modules.core_components.ai_models.model_utils import empty_cuda_cache
from modules.core_components.errors import ModelTooLargeError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _

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


ModelT = TypeVar("ModelT")
ResultT = TypeVar("ResultT")


class ModelPool:
    """What is loaded, who uses it, and what must go.

    `budgets` are bytes per device ("cpu", "cuda:0", ...), and under "host" for the copies that
    models leave in CPU memory when they make room elsewhere. `run_slots` are how many may compute
    on a device at once (1 where not given). `idle_after_s` of 0 lets idle models stay. `meter`
    gives the bytes in use on a device, `reclaim` returns freed memory to it.
    """

    def __init__(
        self,
        budgets: Budgets,
        *,
        run_slots: Mapping[str, int] | None = None,
        idle_after_s: float = 0.0,
        sizes: SizeBook | None = None,
        clock: Callable[[], float] = time.monotonic,
        meter: Callable[[str], int] = memory_in_use,
        reclaim: Callable[[], None] = empty_cuda_cache,
        out_of_memory: Callable[[BaseException], bool] = is_out_of_memory,
    ) -> None:
        sizes = sizes or SizeBook()
        self._clock = clock
        self._ledger = MemoryLedger(budgets)
        self._room = WaitingRoom(clock)
        self._lock = self._room.lock
        self._slots = RunSlots(self._room, run_slots or {})
        self._departures = Departures(self._ledger, self._room, clock, reclaim)
        self._admission = Admission(self._ledger, self._room, sizes, clock)
        self._loading = Loading(
            self._ledger, self._room, self._departures, sizes, meter, out_of_memory
        )
        self._idle_after_s = idle_after_s
        self._sweeper = IdleSweeper(self.sweep)
        self._sweeper.run_every(idle_after_s / 4)

    @contextmanager
    def lease(
        self,
        spec: ModelSpec[ModelT],
        cancel: CancelToken | None = None,
        holder: str = "",
        timeout_s: float | None = None,
        run: bool = False,
    ) -> Iterator[ModelT]:
        """The model, in place and safe from eviction until the block ends.

        With `run`, the block also holds a run slot of the device. A thread may lease the same
        key again, and other keys inside; a thread with a lease does not queue behind those that
        have none, since they may be waiting for that very lease. `holder` is shown to those
        who have to wait. Without `timeout_s` it waits for as long as it takes, or until `cancel`.

        Raises ModelTooLargeError at once, ModelBusyError after `timeout_s`, LeaseDeadlockError,
        JobCancelled, and whatever `spec.load` raises.
        """
        request = self._room.request(holder, cancel, timeout_s)
        try:
            entry = self._acquire(spec, request)
        except ModelTooLargeError as error:
            # Asked here, without the lock; one that the load itself leased has its own hint.
            raise ModelTooLargeError(error.message, error.hint or what_else_fits(spec)) from error
        try:
            with self._slots.acquire(spec.device, request) if run else nullcontext():
                yield entry.model
        finally:
            self._release(entry, request)

    @contextmanager
    def run_slot(
        self,
        device: str,
        cancel: CancelToken | None = None,
        holder: str = "",
        timeout_s: float | None = None,
    ) -> Iterator[None]:
        """A turn to compute on a device, for blocks shorter than the lease around them.

        A stream takes one for each piece, so that a paused listener does not stop others.
        """
        request = self._room.request(holder, cancel, timeout_s)
        with self._slots.acquire(device, request):
            yield

    def is_running(self, device: str) -> bool:
        """Whether a run slot of the device is in use or waited for.

        Work of low priority holds none, and pauses while this is so.
        """
        with self._lock:
            return self._slots.in_use(device)

    def with_memory(self, device: str, work: Callable[[], ResultT]) -> ResultT:
        """Runs `work`; when memory runs out, the idle models leave `device` and it runs again.

        Loading does this by itself; engines may wrap a step of their own that needs much.
        """
        return self._loading.with_memory(device, work)

    def invalidate(self, key: str) -> None:
        """Its weights on disk changed or went: out of memory now, or at its last release."""
        with self._lock:
            entry = self._ledger.entries.get(key)
            if entry is not None:
                entry.stale = True
        self._departures.drop_all(lambda other: other is entry)

    def unload_idle(self) -> int:
        """Frees every idle model, copies in CPU memory too; returns how many."""
        return self._departures.drop_all(lambda entry: True)

    def unload_all(self) -> int:
        """As `unload_idle`, and what is in use goes at its last release."""
        with self._lock:
            for entry in self._ledger.snapshot():
                entry.stale = True
        return self.unload_idle()

    def sweep(self) -> None:
        """Evicts models that were idle for too long, then frees copies unused for as long."""
        if self._idle_after_s <= 0:
            return
        before_s = self._clock() - self._idle_after_s
        self._departures.drop_all(
            lambda entry: entry.place is Place.HOST and entry.since_s <= before_s
        )
        self._departures.evict_all(
            lambda entry: entry.idle and not entry.spec.keep and entry.since_s <= before_s
        )

    def configure(
        self,
        budgets: Budgets | None = None,
        run_slots: Mapping[str, int] | None = None,
        idle_after_s: float | None = None,
        sizes: SizeBook | None = None,
    ) -> None:
        """Takes over new settings; idle models that no longer fit leave at once."""
        with self._lock:
            if budgets is not None:
                self._ledger.set_budgets(budgets)
            if run_slots is not None:
                self._slots.counts = dict(run_slots)
            if idle_after_s is not None:
                self._idle_after_s = idle_after_s
            if sizes is not None:
                self._admission.sizes = self._loading.sizes = sizes
            self._room.announce()
        self._sweeper.run_every(self._idle_after_s / 4)
        self._departures.evict_all(lambda e: e.idle and self._ledger.free_bytes(e.spec.device) < 0)
        self._departures.drop_all(
            lambda e: e.place is Place.HOST and self._ledger.free_bytes(HOST) < 0
        )

    def plan(self, spec: ModelSpec[Any]) -> LoadPlan:
        """What a lease would do now: whether there is room, and what would leave for it.

        Nothing is done. Raises StudioError for a device that is not here.
        """
        with self._lock:
            return self._admission.plan(spec)

    def budget(self, device: str) -> int:
        """The bytes that models may take on a device. Raises StudioError for one not here."""
        with self._lock:
            return self._ledger.budget(device)

    def snapshot(self) -> tuple[Resident, ...]:
        """What sits in memory now, and who uses it."""
        with self._lock:
            now_s = self._clock()
            return tuple(
                Resident(
                    key=entry.spec.key,
                    device=entry.spec.device,
                    nbytes=sum(entry.charges.values()),
                    place=entry.place.value,
                    holders=tuple(lease.holder for lease in entry.leases),
                    idle_s=0.0 if entry.leases else now_s - entry.since_s,
                )
                for entry in self._ledger.snapshot()
            )

    def transfers(self) -> tuple[dict[str, int], dict[str, int]]:
        """How often each model was loaded and how often it left memory, by model id."""
        with self._lock:
            return dict(self._loading.loads), dict(self._departures.unloads)

    def waiting(self) -> tuple[str, ...]:
        """Who waits for room, in the order in which they will get it."""
        with self._lock:
            return self._admission.waiting()

    def close(self) -> None:
        """Ends the sweeper and lets go of all models (those in use at their last release)."""
        self._sweeper.stop()
        self.unload_all()

    def _acquire(self, spec: ModelSpec[Any], request: Request) -> Entry:
        """The entry of `spec`, its model in place, with `request` among its leases."""
        try:
            while True:
                with self._lock:
                    entry, in_the_way = self._admission.grant_or_block(spec, request)
                if in_the_way is not None:
                    self._departures.evict(in_the_way)
                elif entry.mover is request:
                    if self._loading.load_into_device(entry):
                        return entry
                elif self._wait_until_loaded(entry, request):
                    return entry
        finally:
            with self._lock:
                self._admission.leave_line(request)

    def _wait_until_loaded(self, entry: Entry, request: Request) -> bool:
        """Waits for the thread that brings the model; False when it has to be asked for anew."""
        mover, here = entry.mover, False

        def clears(stuck: Threads) -> bool:
            # Who brought it may wait for something else before this thread notices its arrival.
            return not entry.arriving or mover is None or mover.owner not in stuck

        loaded = Obstacle(
            what=_("{model} to be loaded", model=entry.spec.key),
            clears=clears,
            users=lambda: [mover.holder] if mover is not None else [],
        )
        try:
            with self._lock:
                while entry.arriving:
                    self._room.wait(request, loaded)
                here = entry.place is Place.DEVICE
        finally:
            if not here:
                self._release(entry, request)
        if entry.error is not None:
            raise entry.error
        return here

    def _release(self, entry: Entry, request: Request) -> None:
        with self._lock:
            entry.leases.remove(request)
            entry.since_s = self._clock()
            goes = entry.stale and entry.idle
            if goes:
                entry.place = Place.LEAVING
            self._room.announce()
        if goes:
            self._departures.drop(entry)


_making = threading.Lock()
_pool: ModelPool | None = None


def get_model_pool() -> ModelPool:
    """The process-wide pool; it has no room until `configure_model_pool` gives it some."""
    global _pool
    with _making:
        if _pool is None:
            _pool = ModelPool({})
        return _pool


def configure_model_pool(
    budgets: Budgets | None = None,
    run_slots: Mapping[str, int] | None = None,
    idle_after_s: float | None = None,
    sizes_file: Path | None = None,
) -> ModelPool:
    """Gives the process-wide pool its budgets and habits, at the start and when settings change.

    What is not given stays as it is. Models in use stay, idle ones that no longer fit leave.
    """
    pool = get_model_pool()
    sizes = SizeBook(sizes_file) if sizes_file is not None else None
    pool.configure(budgets, run_slots, idle_after_s, sizes)
    return pool


@contextmanager
def whole_device(
    pool: ModelPool, device: str, holder: str, hint: str, cancel: CancelToken | None = None
) -> Iterator[None]:
    """Empties a device of models and keeps it empty until the block ends.

    Models in use are waited for, idle ones leave (to CPU memory, if there is room) and come back
    when they are next asked for. Other requests are refused at once with ModelBusyError, which
    names `holder` and gives `hint`: such work takes hours. Raises JobCancelled while it waits.
    """
    budget = pool.budget(device)
    spec = ModelSpec(
        # Of its own: two holders of one key would share the device.
        key=f"all {budget} bytes of {device} for {holder}",
        device=device,
        nbytes=budget,
        load=lambda: device,
        measure=lambda _unused: budget,
        busy_hint=hint,
    )
    with pool.lease(spec, cancel, holder):
        try:
            yield
        finally:
            pool.invalidate(spec.key)
