"""A device held for work in another process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modules.core_components.ai_models.model_pool import (
    HOST,
    ModelPool,
    ModelSpec,
    SizeBook,
    whole_device,
)
from modules.core_components.errors import JobCancelled, ModelBusyError, StudioError
from modules.core_components.progress import CancelToken

SOON_S = 10.0


def spec(key: str, nbytes: int = 8, device: str = "gpu") -> ModelSpec[str]:
    return ModelSpec(
        key, device, nbytes, load=lambda: key, to_host=lambda model: model,
        to_device=lambda model: model,
    )  # fmt: skip


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ModelPool]:
    pool = ModelPool(
        {"gpu": 20, "cpu": 20, HOST: 100},
        sizes=SizeBook(tmp_path / "sizes.json"),
        meter=lambda device: 0,
        reclaim=lambda: None,
    )
    yield pool
    pool.close()


def places(pool: ModelPool) -> dict[str, str]:
    return {resident.key: resident.place for resident in pool.snapshot()}


def test_models_leave_and_come_back(pool: ModelPool) -> None:
    for key in ("a", "b"):
        with pool.lease(spec(key)):
            pass
    with whole_device(pool, "gpu", "The training", "Wait."):
        assert places(pool) == {
            "a": "host",
            "b": "host",
            "all 20 bytes of gpu for The training": "device",
        }
    with pool.lease(spec("a")):
        assert places(pool) == {"a": "device", "b": "host"}


def test_who_asks_meanwhile_is_told_who_holds_it(pool: ModelPool) -> None:
    with whole_device(pool, "gpu", "The training Anna", "Stop it, or wait."):
        with ThreadPoolExecutor(1) as other:
            asked = other.submit(lambda: pool.lease(spec("a"), holder="Speaking").__enter__())
            with pytest.raises(ModelBusyError, match="The training Anna has all") as raised:
                asked.result(SOON_S)
        assert raised.value.hint == "Stop it, or wait."
        with pool.lease(spec("c", device="cpu")) as model:  # another device is not held
            assert model == "c"


def test_two_do_not_hold_one_device(pool: ModelPool) -> None:
    with whole_device(pool, "gpu", "The training Anna", "Wait."), ThreadPoolExecutor(1) as other:
        second = whole_device(pool, "gpu", "The training Ben", "Wait.")
        with pytest.raises(ModelBusyError, match="The training Anna has all"):
            other.submit(second.__enter__).result(SOON_S)


def test_it_waits_for_models_in_use_and_can_be_cancelled(pool: ModelPool) -> None:
    cancel, began = CancelToken(), threading.Event()

    def take() -> None:
        began.set()
        with whole_device(pool, "gpu", "The training", "Wait.", cancel):
            pass

    with ThreadPoolExecutor(1) as other, pool.lease(spec("a")):
        waiting = other.submit(take)
        assert began.wait(SOON_S)
        cancel.cancel()
        with pytest.raises(JobCancelled):
            waiting.result(SOON_S)
    assert places(pool) == {"a": "device"}


def test_another_budget_is_held_whole_too(pool: ModelPool) -> None:
    with whole_device(pool, "gpu", "The training", "Wait."):
        pass
    pool.configure({"gpu": 30, "cpu": 20, HOST: 100})
    with whole_device(pool, "gpu", "The training", "Wait."):
        assert places(pool) == {"all 30 bytes of gpu for The training": "device"}


def test_a_device_that_is_not_here(pool: ModelPool) -> None:
    with pytest.raises(StudioError, match="cuda:7"), whole_device(pool, "cuda:7", "x", "y"):
        pass
