"""A plan says before a load what the load then does."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest

from modules.core_components.ai_models.model_pool import HOST, ModelPool, ModelSpec, Way
from modules.core_components.errors import ModelTooLargeError, StudioError

GIB = 2**30
GPU = "cuda:0"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class House:
    """A pool with a clock, and the models that left their device, in order."""

    def __init__(self, gpu_gib: int = 10, host_gib: int = 0, idle_after_s: float = 0.0) -> None:
        self.clock = Clock()
        self.left: list[str] = []
        self.pool = ModelPool(
            {GPU: gpu_gib * GIB, "cuda:1": 2 * GIB, HOST: host_gib * GIB},
            clock=self.clock,
            meter=lambda device: 0,
            reclaim=lambda: None,
        )
        self.pool.configure(idle_after_s=idle_after_s)

    def spec(self, name: str, gib: int, **more: object) -> ModelSpec[str]:
        def leave(model: str) -> str:
            self.left.append(name)
            return model

        return ModelSpec(
            f"{name}@1", GPU, gib * GIB, load=lambda: name, free=leave,
            measure=lambda _: gib * GIB, label=name, **more,
        )  # type: ignore[arg-type] # fmt: skip

    def use(self, spec: ModelSpec[str]) -> None:
        self.clock.now_s += 60
        with self.pool.lease(spec):
            pass


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.pool.close()


@pytest.mark.parametrize("seed", range(20))
def test_what_the_plan_names_is_what_leaves(house: House, seed: int) -> None:
    """Forty loads of models of any size, some of them meant to stay."""
    draw = random.Random(seed)
    specs = [house.spec(f"m{n}", draw.randint(1, 6), keep=draw.random() < 0.2) for n in range(12)]
    told = 0
    for spec in draw.choices(specs, k=40):
        plan = house.pool.plan(spec)
        house.left.clear()
        house.use(spec)
        assert [one.name for one in plan.leaving] == house.left
        told += len(house.left)
    assert told > 5, "nothing ever had to leave, so nothing was shown"


def test_a_plan_changes_nothing(house: House) -> None:
    house.use(house.spec("a", 6))
    before = house.pool.snapshot()
    house.pool.plan(house.spec("b", 6))
    assert house.pool.snapshot() == before
    assert house.left == []


def test_what_it_says(house: House, caplog: pytest.LogCaptureFixture) -> None:
    a, b, c = house.spec("Anna", 4), house.spec("Bert", 5), house.spec("Carl", 8)
    assert house.pool.plan(a).in_words() == ("Loading Anna needs 4.00 GiB on GPU 0, which is free.")
    house.use(a)
    house.clock.now_s += 150
    house.use(b)
    words = (
        "Loading Carl needs 8.00 GiB on GPU 0; Anna (4.00 GiB, last used 4 min ago) and "
        "Bert (5.00 GiB, used just now) are unloaded first."
    )
    assert house.pool.plan(c).in_words() == words
    assert house.pool.plan(a).in_words() == "Anna is in memory (4.00 GiB on GPU 0)."
    with house.pool.lease(a):
        assert house.pool.plan(c).way is Way.BUSY
        assert "begins once other work there has ended" in house.pool.plan(c).in_words()
    with caplog.at_level(logging.INFO):
        house.use(c)
    assert sum("Loading Carl needs 8.00 GiB" in line for line in caplog.messages) == 1


def test_a_swapped_model_is_said_to_come_back() -> None:
    house = House(host_gib=20)
    moved = {"to_host": lambda model: model, "to_device": lambda model: model}
    a = house.spec("Anna", 6, **moved)
    house.use(a)
    house.use(house.spec("Bert", 6, **moved))
    plan = house.pool.plan(a)
    assert plan.returns
    assert plan.in_words().startswith("Moving Anna back from main memory needs 6.00 GiB")
    house.pool.close()


def test_the_measured_size_counts_once_it_is_known(house: House) -> None:
    proves_larger = ModelSpec(
        "a@1", GPU, 1 * GIB, load=lambda: "a", measure=lambda _: 3 * GIB
    )  # fmt: skip
    first = house.pool.plan(proves_larger)
    assert (first.nbytes, first.measured) == (1 * GIB, False)
    house.use(proves_larger)
    house.pool.unload_all()
    again = house.pool.plan(proves_larger)
    assert (again.nbytes, again.measured) == (3 * GIB, True)


def test_too_large_names_what_would_fit_before_anything_is_loaded(house: House) -> None:
    house.use(house.spec("Anna", 6))

    def fitting() -> tuple[str, ...]:
        house.pool.plan(house.spec("x", 1))  # whoever advises may ask the pool
        return ("Small (2.00 GiB)", "Tiny (1.00 GiB)")

    large = house.spec("Large", 11, instead=fitting)
    with pytest.raises(ModelTooLargeError, match=r"takes 11.00 GiB, .*10.00 GiB on GPU 0") as told:
        house.use(large)
    assert told.value.hint.startswith("Choose Small (2.00 GiB) or Tiny (1.00 GiB), raise")
    assert house.left == [], "nothing leaves in vain"
    assert not house.pool.plan(large).fits


def test_each_device_has_its_own_budget(house: House) -> None:
    house.use(house.spec("Anna", 10))
    other = ModelSpec("b@1", "cuda:1", 2 * GIB, load=lambda: "b", measure=lambda _: 2 * GIB)
    house.use(other)
    assert house.left == []
    too_much = ModelSpec("c@1", "cuda:1", 3 * GIB, load=lambda: "c")
    assert house.pool.plan(too_much).way is Way.TOO_LARGE
    stranger = ModelSpec("d@1", "cuda:7", 1, load=lambda: "d")
    with pytest.raises(StudioError, match="cuda:7") as told:
        house.pool.plan(stranger)
    assert "cuda:0, cuda:1" in told.value.hint


def test_a_kept_model_outlives_the_idle_time_but_not_need() -> None:
    house = House(idle_after_s=300)
    kept, other = house.spec("Kept", 4, keep=True), house.spec("Other", 4)
    house.use(kept)
    house.use(other)
    assert [one.name for one in house.pool.plan(house.spec("x", 4)).leaving] == ["Other"]
    house.clock.now_s += 1000
    house.pool.sweep()
    assert house.left == ["Other"]
    house.use(house.spec("Large", 8))
    assert house.left == ["Other", "Kept"]
    house.pool.close()
