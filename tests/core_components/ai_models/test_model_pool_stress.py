"""The pool under eight threads that load, fail, cancel, nest, swap and invalidate at random.

A ledger outside the pool watches what really happens to the models.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from modules.core_components.ai_models.model_pool import HOST, ModelPool, ModelSpec
from modules.core_components.errors import JobCancelled, LeaseDeadlockError, ModelBusyError
from modules.core_components.progress import CancelToken

THREADS, LEASES = 8, 10_000
BUDGETS = {"gpu": 40, "cpu": 25, HOST: 25}
MODELS = {  # bytes, device, can be swapped
    "a": (10, "gpu", True),
    "b": (10, "gpu", True),
    "c": (15, "gpu", False),
    "d": (20, "gpu", True),
    "e": (35, "gpu", False),
    "f": (10, "cpu", False),
    "g": (20, "cpu", False),
}
FAILING = "c"


class LoadFailedError(Exception):
    """What one of the models does now and then."""


class Model:
    def __init__(self, key: str) -> None:
        self.key, self.place = key, "device"


class Ledger:
    """What really lies where. It complains by itself, whatever the pool believes."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()
        self._taken = dict.fromkeys(BUDGETS, 0)
        self._here: Counter[str] = Counter()
        self._random = random.Random(99)

    def spec(self, key: str) -> ModelSpec[Model]:
        nbytes, device, swaps = MODELS[key]

        def load() -> Model:
            self._take(device, nbytes)
            with self._lock:
                self._here[key] += 1
                self._expect(self._here[key] == 1, f"{key} was loaded twice")
                fails = key == FAILING and self._random.random() < 0.2
            time.sleep(0)
            if fails:
                self._gone(key, device, nbytes)
                self.counts["failed loads"] += 1
                raise LoadFailedError(key)
            self.counts["loads"] += 1
            return Model(key)

        def free(model: Model) -> None:
            self._expect(model.place != "freed", f"{key} was freed twice")
            account = HOST if model.place == "host" else device
            model.place = "freed"
            time.sleep(0)
            self._gone(key, account, nbytes)
            self.counts["freed"] += 1

        def move(model: Model, place: str, source: str, target: str) -> Model:
            self._take(target, nbytes)
            self._expect(model.place != "freed", f"{key} was moved after it was freed")
            model.place = place
            time.sleep(0)
            self._take(source, -nbytes)
            self.counts[f"to {place}"] += 1
            return model

        if not swaps:
            return ModelSpec(key, device, nbytes, load, free)
        return ModelSpec(
            key, device, nbytes, load, free,
            to_host=lambda model: move(model, "host", device, HOST),
            to_device=lambda model: move(model, "device", HOST, device),
        )  # fmt: skip

    def use(self, model: Model) -> None:
        self._expect(model.place == "device", f"{model.key} is used while {model.place}")
        time.sleep(0)
        self._expect(model.place == "device", f"{model.key} went to {model.place} in use")

    def empty(self) -> bool:
        return not any(self._taken.values()) and not any(self._here.values())

    def _take(self, account: str, nbytes: int) -> None:
        with self._lock:
            self._taken[account] += nbytes
            full = self._taken[account]
            self._expect(full <= BUDGETS[account], f"{account} holds {full}")

    def _gone(self, key: str, account: str, nbytes: int) -> None:
        with self._lock:
            self._here[key] -= 1
            self._taken[account] -= nbytes

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(otherwise)


class Worker:
    """One thread's share of the leases, its choices fixed by its seed."""

    def __init__(self, pool: ModelPool, ledger: Ledger, seed: int) -> None:
        self._pool, self._ledger, self._random = pool, ledger, random.Random(seed)

    def work(self) -> None:
        for _ in range(LEASES // THREADS):
            outcome = "served"
            try:
                self._lease(self._random.choice(list(MODELS)), depth=0)
            except (LoadFailedError, JobCancelled, LeaseDeadlockError, ModelBusyError) as error:
                outcome = type(error).__name__
            self._ledger.counts[outcome] += 1
            self._meddle()

    def _lease(self, key: str, depth: int) -> None:
        token = CancelToken()
        if self._random.random() < 0.05:
            threading.Timer(self._random.random() * 0.002, token.cancel).start()
        timeout_s = 0.001 if self._random.random() < 0.05 else None
        run = self._random.random() < 0.3
        with self._pool.lease(self._ledger.spec(key), token, "", timeout_s, run) as model:
            self._ledger.use(model)
            if depth < 2 and self._random.random() < 0.1:
                self._lease(self._random.choice(list(MODELS)), depth + 1)
            self._ledger.use(model)

    def _meddle(self) -> None:
        chance = self._random.random()
        if chance < 0.03:
            self._pool.invalidate(self._random.choice(list(MODELS)))
        elif chance < 0.04:
            self._pool.sweep()
        elif chance < 0.05:
            self._pool.unload_idle()
        elif chance < 0.055:
            self._pool.unload_all()


@pytest.mark.timeout(120)
def test_ten_thousand_leases_under_everything_at_once() -> None:
    ledger = Ledger()
    settings: dict[str, Any] = {"meter": lambda device: 0, "reclaim": lambda: None}
    pool = ModelPool(BUDGETS, idle_after_s=0.0001, **settings)
    with ThreadPoolExecutor(THREADS) as threads:
        workers = [Worker(pool, ledger, seed) for seed in range(THREADS)]
        for future in [threads.submit(worker.work) for worker in workers]:
            future.result(100)
    assert ledger.wrong == []
    assert all(not resident.holders for resident in pool.snapshot())
    assert pool.waiting() == ()
    pool.close()
    assert pool.snapshot() == ()
    assert ledger.empty()
    # The test would prove little if one of these never happened.
    happened = {
        "loads", "failed loads", "freed", "to host", "to device", "served",
        "LoadFailedError", "JobCancelled", "LeaseDeadlockError", "ModelBusyError",
    }  # fmt: skip
    assert happened <= {name for name, count in ledger.counts.items() if count}
    assert ledger.counts["served"] > LEASES / 2
