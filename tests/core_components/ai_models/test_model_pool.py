"""The twelve invariants of the pool (see modules/.../model_pool/pool.py), and swapping."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.ai_models.model_pool import HOST, ModelPool, ModelSpec, SizeBook
from modules.core_components.errors import (
    JobCancelled,
    LeaseDeadlockError,
    ModelBusyError,
    ModelTooLargeError,
    StudioError,
)
from modules.core_components.progress import CancelToken
from tests.helpers.waiting import eventually

SOON_S = 10.0  # far more than anything takes; only a broken pool waits this long


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Fake:
    """A model that knows where it is."""

    def __init__(self, key: str) -> None:
        self.key, self.place, self.freed = key, "device", 0


class Workshop:
    """Makes specs of fake models and writes down what happens to them."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.made: list[Fake] = []

    def spec(self, key: str, nbytes: int = 10, device: str = "gpu", **changes: Any) -> Any:
        parts: dict[str, Any] = {"load": lambda: self.load(key), "free": self.free, **changes}
        return ModelSpec(key, device, nbytes, **parts)

    def swapping(self, key: str, nbytes: int = 10, **changes: Any) -> Any:
        return self.spec(key, nbytes, to_host=self.to_host, to_device=self.to_device, **changes)

    def load(self, key: str) -> Fake:
        self.events.append(f"load {key}")
        self.made.append(Fake(key))
        return self.made[-1]

    def free(self, model: Fake) -> None:
        model.freed += 1
        self.events.append(f"free {model.key}")

    def to_host(self, model: Fake) -> Fake:
        model.place = "host"
        self.events.append(f"out {model.key}")
        return model

    def to_device(self, model: Fake) -> Fake:
        model.place = "device"
        self.events.append(f"back {model.key}")
        return model


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def make_pool(clock: Clock) -> Iterator[Callable[..., ModelPool]]:
    pools = []

    def make(gpu: int = 20, host: int = 0, **settings: Any) -> ModelPool:
        quiet = {"clock": clock, "meter": lambda device: 0, "reclaim": lambda: None}
        pools.append(ModelPool({"gpu": gpu, "cpu": 100, HOST: host}, **{**quiet, **settings}))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def run() -> Iterator[Callable[..., Future[Any]]]:
    """Runs a function in a thread of its own and gives its future."""
    with ThreadPoolExecutor(32) as threads:
        yield threads.submit


def hold(pool: ModelPool, spec: Any, inside: threading.Event, leave: threading.Event) -> None:
    with pool.lease(spec, holder=f"holder of {spec.key}"):
        inside.set()
        assert leave.wait(SOON_S)


def keys(pool: ModelPool) -> dict[str, str]:
    return {resident.key: resident.place for resident in pool.snapshot()}


# 1


def test_one_load_per_key_however_many_ask_at_once(make_pool, workshop, run):
    pool, start = make_pool(), threading.Barrier(16)
    loading, go = threading.Event(), threading.Event()

    def slow_load() -> Fake:
        loading.set()
        assert go.wait(SOON_S)
        return workshop.load("a")

    def use() -> Fake:
        start.wait(SOON_S)
        with pool.lease(workshop.spec("a", load=slow_load)) as model:
            assert not model.freed
            return model

    users = [run(use) for _ in range(16)]
    assert loading.wait(SOON_S)
    eventually(lambda: len(pool.snapshot()[0].holders) == 16)
    go.set()
    assert {user.result(SOON_S) for user in users} == {workshop.made[0]}
    assert workshop.events == ["load a"]


# 2


def test_what_arrives_stays_and_leaves_is_all_counted(make_pool, workshop, run):
    pool = make_pool(gpu=20)
    freeing, go = threading.Event(), threading.Event()

    def slow_free(model: Fake) -> None:
        freeing.set()
        assert go.wait(SOON_S)
        workshop.free(model)

    for key in ("a", "b"):
        with pool.lease(workshop.spec(key, 10, free=slow_free)):
            pass
    newcomer = run(lambda: pool.lease(workshop.spec("c", 10)).__enter__())
    assert freeing.wait(SOON_S)
    assert keys(pool) == {"a": "leaving", "b": "device"}
    assert sum(resident.nbytes for resident in pool.snapshot()) == 20
    assert "load c" not in workshop.events
    go.set()
    newcomer.result(SOON_S)
    assert workshop.events == ["load a", "load b", "free a", "load c"]


def test_the_longest_unused_leaves_first_and_no_more_than_needed(make_pool, workshop, clock):
    pool = make_pool(gpu=30)
    for key in ("a", "b", "c", "a"):
        clock.now_s += 1
        with pool.lease(workshop.spec(key, 10)):
            pass
    with pool.lease(workshop.spec("d", 10)):
        assert keys(pool) == {"a": "device", "c": "device", "d": "device"}


def test_nothing_leaves_in_vain(make_pool, workshop, run):
    """While even all idle models are too few, they stay where they are."""
    pool = make_pool(gpu=20)
    with pool.lease(workshop.spec("idle", 5)):
        pass
    inside, leave = threading.Event(), threading.Event()
    other = run(hold, pool, workshop.spec("used", 10), inside, leave)
    assert inside.wait(SOON_S)
    waiting = run(lambda: pool.lease(workshop.spec("big", 15), holder="big").__enter__())
    eventually(lambda: pool.waiting() == ("big",))
    assert keys(pool) == {"idle": "device", "used": "device"}
    leave.set()
    other.result(SOON_S)
    assert waiting.result(SOON_S).key == "big"


def test_a_device_without_a_budget_is_refused(make_pool, workshop):
    with pytest.raises(StudioError, match="no memory set aside for models on cuda:7"):
        make_pool().lease(workshop.spec("a", device="cuda:7")).__enter__()


def test_budgets_may_be_found_out_at_the_first_load(workshop):
    asked = []

    def budgets() -> dict[str, int]:
        asked.append(1)
        return {"gpu": 10}

    pool = ModelPool(budgets, meter=lambda device: 0, reclaim=lambda: None)
    assert asked == []
    for _ in range(2):
        with pool.lease(workshop.spec("a", 10)):
            pass
    assert asked == [1]


# 3


def test_a_leased_model_is_never_freed(make_pool, workshop, clock):
    pool = make_pool(gpu=20, idle_after_s=60)
    with pool.lease(workshop.spec("a", 10)) as model:
        with pool.lease(workshop.spec("b", 10)):
            pass
        with pool.lease(workshop.spec("c", 10)):  # has to put something out: b
            pass
        clock.now_s = 1000
        pool.sweep()
        pool.unload_idle()
        pool.unload_all()
        pool.invalidate("a")
        assert not model.freed
    assert model.freed == 1


# 4


def test_look_up_and_reference_are_one_step(make_pool, workshop, run):
    """Between finding a model and using it nothing can put it out, however hard it is tried."""
    pool, done = make_pool(gpu=10), threading.Event()

    def evict() -> None:
        while not done.is_set():
            pool.unload_idle()

    def use() -> None:
        for _ in range(300):
            with pool.lease(workshop.spec("a", 10)) as model:
                assert not model.freed
            assert model.freed <= 1

    evictor = run(evict)
    try:
        for user in [run(use) for _ in range(4)]:
            user.result(SOON_S)
    finally:
        done.set()
    evictor.result(SOON_S)


# 5


def test_loading_copying_and_freeing_run_outside_the_lock(make_pool, workshop, run):
    pool = make_pool(gpu=10, host=10)

    def elsewhere_the_pool_answers() -> None:
        assert run(pool.snapshot).result(SOON_S)

    def with_answer(work: Callable[..., Any]) -> Callable[..., Any]:
        def answered(*arguments: Any) -> Any:
            elsewhere_the_pool_answers()
            workshop.events.append("answered")
            return work(*arguments)

        return answered

    def spec(key: str) -> Any:
        return workshop.swapping(
            key,
            load=with_answer(lambda: workshop.load(key)),
            free=with_answer(workshop.free),
        )

    a = ModelSpec(
        "a", "gpu", 10,
        load=with_answer(lambda: workshop.load("a")),
        free=with_answer(workshop.free),
        to_host=with_answer(workshop.to_host),
        to_device=with_answer(workshop.to_device),
    )  # fmt: skip
    for wanted in (a, spec("b"), a):
        with pool.lease(wanted):
            pass
    pool.unload_idle()
    assert [event for event in workshop.events if event != "answered"] == [
        "load a", "out a", "load b", "free b", "back a", "free a",
    ]  # fmt: skip
    assert workshop.events.count("answered") == 6


# 6


def test_a_failed_load_leaves_nothing_and_all_waiters_get_its_error(make_pool, workshop, run):
    pool = make_pool(gpu=10)
    loading, go = threading.Event(), threading.Event()
    broken = RuntimeError("the file is damaged")

    def fail() -> Fake:
        loading.set()
        assert go.wait(SOON_S)
        raise broken

    users = [run(lambda: pool.lease(workshop.spec("a", load=fail)).__enter__()) for _ in range(4)]
    assert loading.wait(SOON_S)
    eventually(lambda: len(pool.snapshot()[0].holders) == 4)
    go.set()
    assert [user.exception(SOON_S) for user in users] == [broken] * 4
    assert pool.snapshot() == ()
    with pool.lease(workshop.spec("a", 10)) as model:  # the room is free again
        assert model.key == "a"


def test_a_failed_copy_back_leaves_nothing_either(make_pool, workshop):
    pool = make_pool(gpu=10, host=10)
    broken = OSError("no such page")

    def fail(model: Fake) -> Fake:
        raise broken

    spec = workshop.spec("a", to_host=workshop.to_host, to_device=fail)
    for wanted in (spec, workshop.spec("b")):
        with pool.lease(wanted):
            pass
    with pytest.raises(OSError, match="no such page"):
        pool.lease(spec).__enter__()
    assert workshop.made[0].freed == 1
    assert pool.snapshot() == ()


def test_who_cancels_its_load_does_not_cancel_the_others(make_pool, workshop, run):
    pool = make_pool()
    loading, go = threading.Event(), threading.Event()

    def cancelled_load() -> Fake:
        loading.set()
        assert go.wait(SOON_S)
        raise JobCancelled

    def use(spec: Any) -> Fake:
        with pool.lease(spec) as model:
            return model

    first = run(use, workshop.spec("a", load=cancelled_load))
    assert loading.wait(SOON_S)
    second = run(use, workshop.spec("a"))
    eventually(lambda: len(pool.snapshot()[0].holders) == 2)
    go.set()
    assert isinstance(first.exception(SOON_S), JobCancelled)
    assert second.result(SOON_S) is workshop.made[0]


def test_a_free_that_fails_does_not_keep_the_room(make_pool, workshop):
    pool = make_pool(gpu=10)

    def fail(model: Fake) -> None:
        raise RuntimeError("driver shut down")

    for spec in (workshop.spec("a", free=fail), workshop.spec("b")):
        with pool.lease(spec):
            pass
    assert keys(pool) == {"b": "device"}


# 7


def test_invalidated_while_leased_it_goes_at_the_last_release(make_pool, workshop, run):
    pool = make_pool()
    inside, leave = threading.Event(), threading.Event()
    other = run(hold, pool, workshop.spec("a"), inside, leave)
    assert inside.wait(SOON_S)
    with pool.lease(workshop.spec("a")) as model:
        pool.invalidate("a")
        newcomer = run(lambda: pool.lease(workshop.spec("a")).__enter__())
        with pool.lease(workshop.spec("a")) as again:  # its own users still may
            assert again is model
    assert not model.freed
    leave.set()
    other.result(SOON_S)
    assert newcomer.result(SOON_S) is workshop.made[1]
    assert workshop.events == ["load a", "free a", "load a"]


def test_invalidated_while_it_loads_it_serves_those_who_waited_and_goes(make_pool, workshop, run):
    pool = make_pool()
    loading, go = threading.Event(), threading.Event()

    def slow_load() -> Fake:
        loading.set()
        assert go.wait(SOON_S)
        return workshop.load("a")

    def use() -> Fake:
        with pool.lease(workshop.spec("a", load=slow_load)) as model:
            assert not model.freed
            return model

    user = run(use)
    assert loading.wait(SOON_S)
    pool.invalidate("a")
    go.set()
    assert user.result(SOON_S).freed == 1
    assert pool.snapshot() == ()


def test_invalidated_while_idle_or_swapped_out_it_goes_at_once(make_pool, workshop):
    pool = make_pool(gpu=10, host=10)
    for key in ("a", "b"):
        with pool.lease(workshop.swapping(key)):
            pass
    assert keys(pool) == {"a": "host", "b": "device"}
    pool.invalidate("a")
    pool.invalidate("b")
    pool.invalidate("never seen")
    assert pool.snapshot() == ()
    assert [model.freed for model in workshop.made] == [1, 1]


def test_invalidated_while_it_is_swapped_out_it_does_not_come_back(make_pool, workshop, run):
    pool = make_pool(gpu=10, host=10)

    def to_host(model: Fake) -> Fake:
        run(pool.invalidate, "a").result(SOON_S)
        return workshop.to_host(model)

    a = workshop.spec("a", to_host=to_host, to_device=workshop.to_device)
    for spec in (a, workshop.spec("b")):
        with pool.lease(spec):
            pass
    assert keys(pool) == {"b": "device"}
    assert workshop.made[0].freed == 1


# 8


def test_room_is_given_in_order_of_arrival(make_pool, workshop, run):
    pool, order = make_pool(gpu=20), []
    inside, leave = threading.Event(), threading.Event()
    first = run(hold, pool, workshop.spec("big", 20), inside, leave)
    assert inside.wait(SOON_S)

    def use(key: str, nbytes: int) -> None:
        with pool.lease(workshop.spec(key, nbytes), holder=key):
            order.append(key)

    waiting = []
    for key, nbytes in (("b", 20), ("c", 1), ("d", 20), ("e", 1)):
        waiting.append(run(use, key, nbytes))
        eventually(lambda key=key: key in pool.waiting())
    assert pool.waiting() == ("b", "c", "d", "e")
    leave.set()
    for user in (first, *waiting):
        user.result(SOON_S)
    assert order[0] == "b"
    assert order.index("c") < order.index("d") < order.index("e")


def test_who_waits_is_not_starved_by_a_model_in_constant_use(make_pool, workshop, run):
    """Two users who keep the only model in use between them still let a third in."""
    pool, served = make_pool(gpu=10), threading.Event()
    shift = threading.Barrier(2)

    def use_again_and_again() -> None:
        while not served.is_set():
            with pool.lease(workshop.spec("a", 10)):
                try:
                    shift.wait(0.2)  # overlap with the other, so that the model is never idle
                except threading.BrokenBarrierError:
                    shift.reset()

    def wait_for_room() -> None:
        with pool.lease(workshop.spec("b", 10)):
            served.set()

    users = [run(use_again_and_again) for _ in range(2)]
    eventually(lambda: bool(pool.snapshot()))
    run(wait_for_room).result(SOON_S)
    for user in users:
        user.result(SOON_S)


def test_too_large_fails_at_once_and_says_how_much(make_pool, workshop):
    pool = make_pool(gpu=3 * 2**30)
    with pytest.raises(ModelTooLargeError, match=r"takes 4.00 GiB, .* only use 3.00 GiB on GPU"):
        pool.lease(workshop.spec("a", 4 * 2**30)).__enter__()
    assert workshop.events == []


def test_too_busy_names_who_holds_it(make_pool, workshop, run, clock):
    pool = make_pool(gpu=10)
    inside, leave = threading.Event(), threading.Event()
    holder = run(hold, pool, workshop.spec("a"), inside, leave)
    assert inside.wait(SOON_S)
    with pytest.raises(ModelBusyError, match=r"in use by holder of a \(a\)"):
        pool.lease(workshop.spec("b"), holder="scoring", timeout_s=0).__enter__()
    late = run(lambda: pool.lease(workshop.spec("b"), timeout_s=30).__enter__())
    eventually(lambda: len(pool.waiting()) == 1)
    clock.now_s = 31
    assert isinstance(late.exception(SOON_S), ModelBusyError)
    assert pool.waiting() == ()
    leave.set()
    holder.result(SOON_S)


def test_waiting_for_room_can_be_cancelled(make_pool, workshop, run):
    pool, cancel = make_pool(gpu=10), CancelToken()
    inside, leave = threading.Event(), threading.Event()
    holder = run(hold, pool, workshop.spec("a"), inside, leave)
    assert inside.wait(SOON_S)
    waiting = run(lambda: pool.lease(workshop.spec("b"), cancel).__enter__())
    eventually(lambda: len(pool.waiting()) == 1)
    cancel.cancel()
    assert isinstance(waiting.exception(SOON_S), JobCancelled)
    assert pool.waiting() == ()
    leave.set()
    holder.result(SOON_S)


def test_waiting_for_anothers_load_can_be_cancelled(make_pool, workshop, run):
    pool, cancel = make_pool(), CancelToken()
    loading, go = threading.Event(), threading.Event()

    def slow_load() -> Fake:
        loading.set()
        assert go.wait(SOON_S)
        return workshop.load("a")

    first = run(lambda: pool.lease(workshop.spec("a", load=slow_load)).__enter__())
    assert loading.wait(SOON_S)
    second = run(lambda: pool.lease(workshop.spec("a"), cancel, holder="second").__enter__())
    eventually(lambda: "second" in pool.snapshot()[0].holders)
    cancel.cancel()
    assert isinstance(second.exception(SOON_S), JobCancelled)
    go.set()
    first.result(SOON_S)
    assert "second" not in pool.snapshot()[0].holders


# 9


def test_waiting_only_on_ones_own_lease_is_a_deadlock(make_pool, workshop):
    pool = make_pool(gpu=10)
    with (
        pool.lease(workshop.spec("a"), holder="the fit"),
        pytest.raises(LeaseDeadlockError, match=r"the fit \(a\)"),
        pool.lease(workshop.spec("b")),
    ):
        pytest.fail("there was no room")
    with pool.lease(workshop.spec("b")):  # and nothing is left of it
        assert keys(pool) == {"b": "device"}


def test_two_threads_that_wait_for_each_other_are_a_deadlock(make_pool, workshop, run):
    pool = make_pool(gpu=20)
    both_inside = threading.Barrier(2)

    def use(first: str, second: str) -> str:
        with pool.lease(workshop.spec(first)):
            both_inside.wait(SOON_S)
            with pool.lease(workshop.spec(second)):
                return "served"

    users = [run(use, "a", "c"), run(use, "b", "d")]
    outcomes = [user.exception(SOON_S) for user in users]
    assert sorted(type(error).__name__ for error in outcomes) == ["LeaseDeadlockError", "NoneType"]


def test_a_thread_with_a_lease_does_not_queue_behind_who_waits_for_it(make_pool, workshop, run):
    pool = make_pool(gpu=20)
    with pool.lease(workshop.spec("a", 10)):
        waiting = run(lambda: pool.lease(workshop.spec("big", 20), holder="big").__enter__())
        eventually(lambda: pool.waiting() == ("big",))
        with pool.lease(workshop.spec("b", 10)):
            pass
        with pool.lease(workshop.spec("a", 10)):
            pass
    assert waiting.result(SOON_S).key == "big"


def test_a_load_that_asks_for_its_own_model_is_a_deadlock(make_pool, workshop):
    pool = make_pool()
    spec = workshop.spec("a", load=lambda: pool.lease(spec).__enter__())
    with pytest.raises(LeaseDeadlockError):
        pool.lease(spec).__enter__()
    assert pool.snapshot() == ()


# 10


def test_idle_models_leave_by_one_daemon_thread(make_pool, workshop, clock):
    before = set(threading.enumerate())  # the process's own pool may have a sweeper as well
    pool = make_pool(idle_after_s=60)
    with pool.lease(workshop.spec("a")):
        clock.now_s = 100
        pool.sweep()
    clock.now_s = 159
    pool._sweeper.wake()
    pool.sweep()
    assert keys(pool) == {"a": "device"}
    clock.now_s = 160
    pool._sweeper.wake()
    eventually(lambda: pool.snapshot() == ())
    assert workshop.events == ["load a", "free a"]
    started = set(threading.enumerate()) - before
    threads = [thread for thread in started if thread.name == "idle-models"]
    assert len(threads) == 1
    assert threads[0].daemon
    pool.close()
    assert not threads[0].is_alive()


def test_idle_models_are_swapped_out_first_and_freed_later(make_pool, workshop, clock):
    pool = make_pool(gpu=10, host=10, idle_after_s=60)
    with pool.lease(workshop.swapping("a")):
        pass
    clock.now_s = 60
    pool.sweep()
    assert keys(pool) == {"a": "host"}
    clock.now_s = 119
    pool.sweep()
    assert keys(pool) == {"a": "host"}
    clock.now_s = 120
    pool.sweep()
    assert pool.snapshot() == ()


# 11


class OutOfMemoryError(RuntimeError):
    """As torch's own, which is recognised by its name."""


def test_out_of_memory_frees_the_idle_and_tries_once_more(make_pool, workshop):
    reclaimed: list[str] = []
    pool = make_pool(gpu=30, reclaim=lambda: reclaimed.append("reclaimed"))
    with pool.lease(workshop.spec("idle")), pool.lease(workshop.spec("on cpu", device="cpu")):
        pass

    def load() -> Fake:
        if keys(pool).get("idle"):
            raise OutOfMemoryError("tried to allocate 20 MiB")
        return workshop.load("a")

    with pool.lease(workshop.spec("used")), pool.lease(workshop.spec("a", load=load)) as model:
        assert model.key == "a"
        assert set(keys(pool)) == {"on cpu", "used", "a"}
    assert reclaimed


def test_out_of_memory_twice_is_raised_and_leaves_nothing(make_pool, workshop):
    pool, tries = make_pool(), []

    def load() -> Fake:
        tries.append(1)
        raise OutOfMemoryError("tried to allocate 20 MiB")

    with pytest.raises(OutOfMemoryError):
        pool.lease(workshop.spec("a", load=load)).__enter__()
    assert len(tries) == 2
    assert pool.snapshot() == ()


def test_other_errors_are_not_tried_again(make_pool, workshop):
    pool, tries = make_pool(), []

    def load() -> Fake:
        tries.append(1)
        raise RuntimeError("attention mask has the wrong shape")

    with pytest.raises(RuntimeError, match="attention mask"):
        pool.lease(workshop.spec("a", load=load)).__enter__()
    assert len(tries) == 1


# 12


def test_sizes_are_measured_at_load_and_remembered(make_pool, workshop, tmp_path: Path):
    in_use = [100]

    def load() -> Fake:
        in_use[0] += 7
        return workshop.load("a")

    path = tmp_path / "cache" / "sizes.json"
    settings = {"gpu": 20, "meter": lambda device: in_use[0]}
    pool = make_pool(sizes=SizeBook(path), **settings)
    with pool.lease(workshop.spec("a", 15, load=load)):
        assert pool.snapshot()[0].nbytes == 7
    assert json.loads(path.read_text()) == {"a": 7}

    seen = []
    later = make_pool(sizes=SizeBook(path), **settings)
    spec = workshop.spec("a", 15, load=lambda: seen.append(later.snapshot()[0].nbytes))
    with later.lease(spec):
        assert seen == [7]


def test_an_engine_that_can_count_its_weights_is_believed(make_pool, workshop):
    pool = make_pool(gpu=20)
    with pool.lease(workshop.spec("a", 15, measure=lambda model: 12)):
        assert pool.snapshot()[0].nbytes == 12


def test_the_meter_does_not_count_while_others_use_memory(make_pool, workshop, run):
    in_use = [0]

    def load() -> Fake:
        in_use[0] += 7
        return workshop.load("b")

    pool = make_pool(gpu=30, meter=lambda device: in_use[0])
    inside, leave = threading.Event(), threading.Event()
    other = run(hold, pool, workshop.spec("a", 10), inside, leave)
    assert inside.wait(SOON_S)
    with pool.lease(workshop.spec("b", 15, load=load)):
        assert {r.key: r.nbytes for r in pool.snapshot()} == {"a": 10, "b": 15}
    leave.set()
    other.result(SOON_S)


def test_a_model_larger_than_said_puts_idle_ones_out(make_pool, workshop):
    pool = make_pool(gpu=20)
    with pool.lease(workshop.spec("a", 10)):
        pass
    with pool.lease(workshop.spec("b", 10, measure=lambda model: 15)):
        assert {r.key: r.nbytes for r in pool.snapshot()} == {"b": 15}


def test_a_model_larger_than_there_is_room_waits_for_its_true_size(make_pool, workshop, run):
    pool = make_pool(gpu=20)
    inside, leave = threading.Event(), threading.Event()
    other = run(hold, pool, workshop.spec("a", 10), inside, leave)
    assert inside.wait(SOON_S)
    grown = workshop.spec("b", 10, measure=lambda model: 15)
    waiting = run(lambda: pool.lease(grown, holder="b").__enter__())
    eventually(lambda: pool.waiting() == ("b",))
    assert workshop.events == ["load a", "load b", "free b"]
    assert sum(resident.nbytes for resident in pool.snapshot()) == 10
    leave.set()
    other.result(SOON_S)
    assert waiting.result(SOON_S) is workshop.made[2]


def test_a_model_that_proves_too_large_is_refused_with_its_true_size(make_pool, workshop):
    pool = make_pool(gpu=20)
    for _ in range(2):
        with pytest.raises(ModelTooLargeError):
            pool.lease(workshop.spec("a", 10, measure=lambda model: 21)).__enter__()
    assert workshop.events == ["load a", "free a"]  # the second time it is not even loaded


def test_a_damaged_size_file_only_costs_the_estimates(workshop, tmp_path: Path):
    path = tmp_path / "sizes.json"
    path.write_text('{"a": "many"', encoding="utf-8")
    sizes = SizeBook(path)
    assert sizes.get("a") is None
    sizes.remember("a", 5)
    assert SizeBook(path).get("a") == 5


# Swapping


def test_coming_back_from_cpu_memory_costs_a_copy_and_no_load(make_pool, workshop):
    pool = make_pool(gpu=10, host=10)
    with pool.lease(workshop.swapping("a")) as first:
        pass
    with pool.lease(workshop.spec("b")):
        assert first.place == "host"
        assert {r.key: (r.place, r.nbytes) for r in pool.snapshot()} == {
            "a": ("host", 10),
            "b": ("device", 10),
        }
    with pool.lease(workshop.swapping("a")) as again:
        assert again is first
        assert again.place == "device"
    assert workshop.events == ["load a", "out a", "load b", "free b", "back a"]


def test_copies_have_a_budget_of_their_own(make_pool, workshop):
    pool = make_pool(gpu=10, host=20)
    for key in ("a", "b", "c", "d"):
        with pool.lease(workshop.swapping(key)):
            pass
    assert keys(pool) == {"b": "host", "c": "host", "d": "device"}
    assert [model.freed for model in workshop.made] == [1, 0, 0, 0]
    with pool.lease(workshop.swapping("huge", 10)), pytest.raises(LeaseDeadlockError):
        pool.lease(workshop.swapping("e", 10)).__enter__()


def test_without_room_for_a_copy_the_model_goes_to_disk(make_pool, workshop):
    pool = make_pool(gpu=10, host=9)
    for key in ("a", "b"):
        with pool.lease(workshop.swapping(key)):
            pass
    assert keys(pool) == {"b": "device"}
    assert workshop.made[0].freed == 1


def test_a_swap_that_fails_frees_the_model(make_pool, workshop):
    pool = make_pool(gpu=10, host=10)

    def fail(model: Fake) -> Fake:
        raise RuntimeError("cannot copy out of meta tensor")

    a = workshop.spec("a", to_host=fail, to_device=workshop.to_device)
    for spec in (a, workshop.spec("b")):
        with pool.lease(spec):
            pass
    assert keys(pool) == {"b": "device"}
    assert workshop.made[0].freed == 1


def test_half_a_swap_is_refused(workshop):
    with pytest.raises(ValueError, match="both to_host and to_device"):
        workshop.spec("a", to_host=workshop.to_host)


# Run slots


def test_one_computes_at_a_time_on_a_device(make_pool, workshop, run):
    pool, computing, most = make_pool(gpu=20), [], []

    def compute(key: str) -> None:
        with pool.lease(workshop.spec(key), run=True):
            computing.append(key)
            most.append(len(computing))
            computing.remove(key)

    for user in [run(compute, key) for key in "abababab"]:
        user.result(SOON_S)
    assert max(most) == 1


def test_slots_are_counted_by_device_and_may_be_more(make_pool, workshop, run):
    pool = make_pool(run_slots={"cpu": 2})
    together = threading.Barrier(3)

    def compute(device: str) -> None:
        with pool.run_slot(device):
            together.wait(SOON_S)

    for user in [run(compute, device) for device in ("cpu", "cpu", "gpu")]:
        user.result(SOON_S)


def test_slots_are_given_in_order_of_arrival(make_pool, run):
    pool, order = make_pool(), []

    def compute(name: str) -> None:
        with pool.run_slot("gpu"):
            order.append(name)

    with pool.run_slot("gpu"):
        waiting = []
        for count, name in enumerate("bcde", start=1):
            waiting.append(run(compute, name))
            eventually(lambda count=count: len(pool._room._waiting) == count)
    for thread in waiting:
        thread.result(SOON_S)
    assert order == list("bcde")


def test_a_thread_goes_through_its_own_slot(make_pool, workshop):
    pool = make_pool(gpu=20)
    with (
        pool.lease(workshop.spec("a"), run=True),
        pool.lease(workshop.spec("b"), run=True),
        pool.run_slot("gpu"),
    ):
        pass
    with pool.run_slot("gpu", timeout_s=0):
        pass


def test_waiting_for_a_slot_ends_by_cancel_timeout_or_deadlock(make_pool, workshop, run, clock):
    pool, cancel = make_pool(), CancelToken()
    inside, leave = threading.Event(), threading.Event()

    def compute() -> None:
        with pool.run_slot("gpu", holder="training"):
            inside.set()
            assert leave.wait(SOON_S)

    trainer = run(compute)
    assert inside.wait(SOON_S)
    with pytest.raises(ModelBusyError, match="its turn to compute on gpu; in use by training"):
        pool.lease(workshop.spec("a"), run=True, timeout_s=0).__enter__()
    cancelled = run(lambda: pool.run_slot("gpu", cancel).__enter__())
    cancel.cancel()
    assert isinstance(cancelled.exception(SOON_S), JobCancelled)
    leave.set()
    trainer.result(SOON_S)
    assert keys(pool) == {"a": "device"}
    pool.unload_idle()  # a failed wait for the slot gave the lease back
    assert pool.snapshot() == ()


def test_slots_taken_crosswise_are_a_deadlock(make_pool, run):
    pool, both_inside = make_pool(), threading.Barrier(2)

    def compute(first: str, second: str) -> None:
        with pool.run_slot(first):
            both_inside.wait(SOON_S)
            with pool.run_slot(second):
                pass

    users = [run(compute, "gpu", "cpu"), run(compute, "cpu", "gpu")]
    outcomes = [user.exception(SOON_S) for user in users]
    assert sorted(type(error).__name__ for error in outcomes) == ["LeaseDeadlockError", "NoneType"]


# The rest of the surface


def test_leases_nest_and_repeat_in_one_thread(make_pool, workshop):
    pool = make_pool(gpu=20)
    with (
        pool.lease(workshop.spec("a"), holder="clone") as a,
        pool.lease(workshop.spec("b"), holder="score"),
        pool.lease(workshop.spec("a"), holder="clone again") as same,
    ):
        assert same is a
        assert {r.key: r.holders for r in pool.snapshot()} == {
            "a": ("clone", "clone again"),
            "b": ("score",),
        }


def test_a_lease_may_be_given_back_by_another_thread(make_pool, workshop, run):
    pool = make_pool()
    lease = pool.lease(workshop.spec("a"))
    run(lease.__enter__).result(SOON_S)
    assert pool.unload_idle() == 0
    lease.__exit__(None, None, None)
    assert pool.unload_idle() == 1


def test_a_stream_closed_early_gives_its_lease_back(make_pool, workshop):
    pool = make_pool()

    def stream() -> Iterator[int]:
        with pool.lease(workshop.spec("a")):
            yield from range(10)

    pieces = stream()
    assert next(pieces) == 0
    assert pool.snapshot()[0].holders
    pieces.close()
    assert not pool.snapshot()[0].holders


def test_snapshot_tells_how_long_a_model_was_idle(make_pool, workshop, clock):
    pool = make_pool()
    with pool.lease(workshop.spec("a")):
        clock.now_s = 5
        assert pool.snapshot()[0].idle_s == 0
    clock.now_s = 12
    assert pool.snapshot()[0].idle_s == 7


def test_unload_all_takes_the_idle_now_and_the_used_later(make_pool, workshop):
    pool = make_pool()
    with pool.lease(workshop.spec("b")):
        pass
    with pool.lease(workshop.spec("a")) as a:
        assert pool.unload_all() == 1
        assert not a.freed
    assert pool.snapshot() == ()


def test_smaller_budgets_put_idle_models_out(make_pool, workshop):
    pool = make_pool(gpu=30)
    for key in ("a", "b", "c"):
        with pool.lease(workshop.spec(key)):
            pass
    pool.configure(budgets={"gpu": 10}, run_slots={"gpu": 2}, idle_after_s=0)
    assert keys(pool) == {"c": "device"}
