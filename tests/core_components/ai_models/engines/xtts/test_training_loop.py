"""The loop on a toy: what it must do when all goes well, is broken off, or goes wrong."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest
import torch

from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.stepping import (
    OutOfMemoryError,
    out_of_memory_remedy,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import Batch, StopRequests
from modules.core_components.errors import DiskFullError, StudioError
from tests.core_components.ai_models.engines.xtts.toy_trainee import (
    ToyTrainee,
    events,
    make_loop,
)

PLAN = TrainingPlan(epochs=3, batch_size=4, accumulation=1, learning_rate=0.01, early_stopping=0)
NAN = float("nan")


class Power(BaseException):
    """The light goes out: nothing in the loop may catch it."""


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """These files need not outlive a power cut."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


class Blackout:
    """The power that fails after so many batches."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self, batch: Batch) -> float:
        self._left -= 1
        if self._left < 0:
            raise Power
        return 1.0


def final_weights(trainee: ToyTrainee) -> torch.Tensor:
    return torch.cat([weights.detach().flatten() for weights in trainee.trainable.parameters()])


def stop_at(folder: Path, batch: int) -> StopRequests:
    """Asks to stop when the loop looks for the wish the `batch`-th time in training."""
    requests = StopRequests(folder / "stop", folder / "stop_after_epoch")
    looks = itertools.count(1)

    class Counting(StopRequests):
        @property
        def at_once(self) -> bool:
            return next(looks) == batch

    requests.__class__ = Counting
    return requests


def test_an_epoch_hears_every_clip_once_and_the_loss_falls(tmp_path: Path) -> None:
    trainee = ToyTrainee()
    assert make_loop(tmp_path, trainee, PLAN).run() == "done"
    per_epoch = [trainee.heard[start : start + 3] for start in (0, 3, 6)]
    orders = [[clip for batch in epoch for clip in batch] for epoch in per_epoch]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert orders[0] != orders[1]
    losses = [event["loss"] for event in events(tmp_path, "eval")]
    assert losses[-1] < 0.9 * losses[0]
    assert [event["step"] for event in events(tmp_path, "step")] == list(range(1, 10))


@pytest.mark.parametrize("accumulation", [1, 2])
def test_broken_off_anywhere_it_ends_as_if_it_had_not_been(
    tmp_path: Path, accumulation: int
) -> None:
    plan = TrainingPlan(
        epochs=2, batch_size=2, accumulation=accumulation, early_stopping=0, learning_rate=0.01
    )
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    whole = ToyTrainee()
    make_loop(tmp_path / "whole", whole, plan).run()
    for batches in (3, 2, 4, 100):
        broken = ToyTrainee(before_loss=Blackout(after=batches))
        clock = itertools.count(0, 3600).__next__  # every step is worth a state
        loop = make_loop(tmp_path / "broken", broken, plan, clock=clock)
        with contextlib.suppress(Power):
            loop.run()
    assert torch.equal(final_weights(broken), final_weights(whole))
    assert events(tmp_path / "broken", "start")[1]["resumed"]


def test_stopped_it_keeps_its_place_and_goes_on_there(tmp_path: Path) -> None:
    trainee = ToyTrainee()
    requests = stop_at(tmp_path, 4)  # the first look is in the first evaluation
    assert make_loop(tmp_path, trainee, PLAN, requests).run() == "stopped"
    assert [event["step"] for event in events(tmp_path, "step")] == [1, 2]
    assert events(tmp_path, "saving")
    again = ToyTrainee()
    assert make_loop(tmp_path, again, PLAN).run() == "done"
    assert sorted(clip for batch in trainee.heard + again.heard[:1] for clip in batch) == list(
        range(10)
    )


def test_stop_after_the_epoch_ends_between_two_epochs(tmp_path: Path) -> None:
    (tmp_path / "stop_after_epoch").touch()
    assert make_loop(tmp_path, ToyTrainee(), PLAN).run() == "stopped"
    assert len(events(tmp_path, "step")) == 3
    assert events(tmp_path, "eval")[-1]["step"] == 3


def test_a_loss_that_is_no_number_changes_nothing_and_is_told(tmp_path: Path) -> None:
    spoiled = ToyTrainee(before_loss=lambda batch: NAN if "clip7" in batch.clips else 1.0)
    assert make_loop(tmp_path, spoiled, PLAN).run() == "done"
    assert torch.isfinite(final_weights(spoiled)).all()
    notes = [note["text"] for note in events(tmp_path, "note")]
    assert len(notes) == 3  # once an epoch
    assert all("clip7" in note and "no finite number" in note for note in notes)
    assert len(events(tmp_path, "step")) == 6


def test_twice_in_a_row_it_goes_back_to_the_last_state(tmp_path: Path) -> None:
    bad = iter([1.0, NAN, NAN])
    trainee = ToyTrainee(before_loss=lambda batch: next(bad, 1.0))
    assert make_loop(tmp_path, trainee, PLAN).run() == "done"
    assert events(tmp_path, "back")[0]["step"] == 0
    heard_after = trainee.heard[3:6]
    assert sorted(clip for batch in heard_after for clip in batch) == list(range(10))


def test_weights_that_are_no_numbers_are_never_kept(tmp_path: Path) -> None:
    trainee = ToyTrainee()

    def poison(batch: Batch) -> float:
        if len(trainee.heard) == 5:
            with torch.no_grad():
                next(trainee.trainable.parameters()).fill_(NAN)
            return NAN
        return 1.0

    trainee._before_loss = poison
    assert make_loop(tmp_path, trainee, PLAN).run() == "done"
    assert events(tmp_path, "back")[0]["step"] == 3
    assert torch.isfinite(final_weights(trainee)).all()


def test_when_no_order_helps_it_ends_with_a_remedy(tmp_path: Path) -> None:
    trainee = ToyTrainee(before_loss=lambda batch: NAN)
    with pytest.raises(StudioError, match="5 times in a row") as raised:
        make_loop(tmp_path, trainee, PLAN).run()
    assert "learning rate" in raised.value.hint


def test_out_of_memory_keeps_the_state_and_a_smaller_batch_goes_on(tmp_path: Path) -> None:
    large = ToyTrainee()

    def full(batch: Batch) -> float:
        if len(large.heard) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1.0

    large._before_loss = full
    with pytest.raises(OutOfMemoryError, match="step 3, with") as raised:
        make_loop(tmp_path, large, PLAN).run()
    assert "batch size of 2 and an accumulation of 2" in raised.value.hint
    small = ToyTrainee()
    plan = TrainingPlan(epochs=3, batch_size=2, accumulation=2, early_stopping=0)
    assert make_loop(tmp_path, small, plan).run() == "done"
    first_epoch = large.heard[:2] + small.heard[:1]
    assert sorted(clip for batch in first_epoch for clip in batch) == list(range(10))
    assert events(tmp_path, "start")[1]["step"] == 2


def test_the_remedy_of_the_smallest_batch_is_a_sentence_that_applies(tmp_path: Path) -> None:
    def full(batch: Batch) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemoryError) as raised:
        make_loop(tmp_path, ToyTrainee(before_loss=full), TrainingPlan(batch_size=2)).run()
    assert raised.value.hint == out_of_memory_remedy(TrainingPlan(batch_size=2))


def test_an_evaluation_without_a_usable_clip_names_the_reason(tmp_path: Path) -> None:
    trainee = ToyTrainee()
    unusable = Batch(None, (), (("e0", "it is no wav"), ("e1", "it is no wav")))
    trainee.evaluation = lambda: iter([(NAN, unusable)])  # type: ignore[method-assign]
    with pytest.raises(StudioError, match="Of clip e0: it is no wav"):
        make_loop(tmp_path, trainee, PLAN).run()


def test_out_of_memory_while_the_weights_change_does_not_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainee = ToyTrainee()

    def torn() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainee.optimizer, "step", torn)
    with pytest.raises(OutOfMemoryError):
        make_loop(tmp_path, trainee, PLAN).run()
    assert [event["step"] for event in events(tmp_path, "checkpoint")] == [0]


def test_it_ends_early_when_the_evaluation_loss_does_not_fall(tmp_path: Path) -> None:
    still = TrainingPlan(epochs=50, learning_rate=1e-8, early_stopping=2, warmup_steps=100_000)
    trainee = ToyTrainee()
    trainee.evaluation = lambda: iter([(1.0, Batch(None, ("e0",)))])  # type: ignore[method-assign]
    assert make_loop(tmp_path, trainee, still).run() == "done"
    assert len(events(tmp_path, "eval")) == 3
    assert "has not fallen for 2 epochs" in events(tmp_path, "note")[0]["text"]
    assert make_loop(tmp_path, trainee, still).run() == "done"  # the user wants more all the same
    assert len(events(tmp_path, "eval")) == 5


def test_warm_up_and_clipping(tmp_path: Path) -> None:
    plan = TrainingPlan(epochs=1, batch_size=2, warmup_steps=4, learning_rate=0.01)
    make_loop(tmp_path, ToyTrainee(), plan).run()
    rates = [event["learning_rate"] for event in events(tmp_path, "step")]
    assert rates == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01])


def test_the_best_and_the_last_weights_stay(tmp_path: Path) -> None:
    trainee = ToyTrainee()
    losses = iter([9.0, 3.0, 5.0, 2.0, 4.0, 6.0])
    trainee.evaluation = lambda: iter([(next(losses), Batch(None, ("e0",)))])  # type: ignore[method-assign]
    plan = TrainingPlan(epochs=5, keep_checkpoints=2, early_stopping=0)
    make_loop(tmp_path, trainee, plan).run()
    kept = {path.stem for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"3", "9", "15"}
    state = torch.load(tmp_path / "checkpoints" / "9.pth", weights_only=True)
    assert set(state) == {"model"}


def test_a_full_disk_costs_the_worst_weights_then_ends_with_the_state_intact(
    tmp_path: Path,
) -> None:
    def free(folder: Path) -> int:
        return 10**12 if len(list((folder / "checkpoints").glob("*.pth"))) < 2 else 0

    assert make_loop(tmp_path, ToyTrainee(), PLAN, free=free).run() == "done"
    assert "was deleted" in events(tmp_path, "note")[0]["text"]
    before = (tmp_path / "state.pt").read_bytes()
    more = TrainingPlan(epochs=9, early_stopping=0)
    with pytest.raises(DiskFullError, match="are needed to write"):
        make_loop(tmp_path, ToyTrainee(), more, free=lambda folder: 0).run()
    assert (tmp_path / "state.pt").read_bytes() == before
