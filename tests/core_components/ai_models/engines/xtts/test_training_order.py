"""Which clips make which batch."""

from __future__ import annotations

import pytest

from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    batches,
    epoch_order,
    step_batches,
    steps_in_epoch,
)
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import loading_processes


@pytest.mark.parametrize("size", [3, 4, 7])
@pytest.mark.parametrize("clips", range(2, 40))
def test_no_batch_has_a_single_clip_and_none_is_lost(clips: int, size: int) -> None:
    cut = batches(tuple(range(clips)), size)
    assert all(2 <= len(batch) <= size for batch in cut)
    assert tuple(clip for batch in cut for clip in batch) == tuple(range(clips))


def test_with_batches_of_two_a_clip_that_is_left_over_waits() -> None:
    assert batches((5, 6, 7), 2) == ((5, 6),)
    assert batches((5,), 4) == ()


def test_an_order_follows_from_seed_and_epoch() -> None:
    assert epoch_order(9, 1, 0) == epoch_order(9, 1, 0)
    assert len({epoch_order(9, seed, epoch) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_the_last_step_of_an_epoch_may_have_fewer_batches() -> None:
    assert [len(step) for step in step_batches(tuple(range(10)), 2, 2)] == [2, 2, 1]
    assert steps_in_epoch(10, 2, 2) == 3


@pytest.mark.parametrize(
    ("platform", "language", "workers", "expected"),
    [("linux", "ja", 4, 0), ("win32", "en", -1, 0), ("win32", "en", 2, 2), ("linux", "en", 3, 3)],
)
def test_how_many_processes_read_clips(
    platform: str, language: str, workers: int, expected: int
) -> None:
    assert loading_processes(TrainingPlan(workers=workers), language, platform) == expected
