"""A model of three numbers that learns from numbered clips, for tests of the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from modules.core_components.ai_models.engines.xtts.training.checkpoints import CheckpointStore
from modules.core_components.ai_models.engines.xtts.training.loop import TrainingLoop
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.ranks import (
    ALONE,
    NoRecords,
    Rank,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    Batch,
    Order,
    StopRequests,
)
from modules.core_components.library.training_events import EventWriter, read_events
from modules.core_components.library.training_runs import kept_checkpoints


class ToyTrainee:
    """Learns the mean of its clips with some dropout. `before_loss(batch)` may spoil a batch."""

    def __init__(self, clips: int = 10, before_loss: Callable[[Batch], float] | None = None):
        torch.manual_seed(0)
        self.clips = clips
        self.trainable = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(0.2))
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(self.trainable.parameters(), 0.05)
        self.heard: list[Order] = []
        self._before_loss = before_loss or (lambda batch: 1.0)

    def batches(self, wanted: Sequence[Order], epoch: int) -> Iterator[Batch]:
        for numbers in wanted:
            yield Batch(torch.tensor(numbers), tuple(f"clip{n}" for n in numbers))

    def loss(self, batch: Batch) -> torch.Tensor:
        self.trainable.train()
        self.heard.append(tuple(batch.inputs.tolist()))
        return self._distance(batch.inputs) * self._before_loss(batch)

    def evaluation(self) -> Iterator[tuple[float, Batch]]:
        self.trainable.eval()
        with torch.no_grad():
            numbers = torch.arange(4)
            yield float(self._distance(numbers)), Batch(numbers, ("e0", "e1", "e2", "e3"))

    def weights(self) -> Mapping[str, Any]:
        return {"model": self.trainable.state_dict()}

    def _distance(self, numbers: torch.Tensor) -> torch.Tensor:
        clips = torch.stack([numbers / 10, numbers / 20, torch.ones(len(numbers))], dim=1)
        return (self.trainable(clips) - clips.mean(dim=0) - 1).pow(2).mean()


class NoScalars:
    def write(self, step: int, values: Mapping[str, float]) -> None: ...


def make_loop(
    folder: Path,
    trainee: ToyTrainee,
    plan: TrainingPlan,
    requests: StopRequests | None = None,
    free: Callable[[Path], int] = lambda folder: 10**12,
    clock: Callable[[], float] = lambda: 0.0,
    rank: Rank = ALONE,
) -> TrainingLoop:
    """A loop whose files lie in `folder`; it goes on from the state that is there."""
    requests = requests or StopRequests(folder / "stop", folder / "stop_after_epoch")
    if not rank.is_first:
        none = NoRecords(folder / "state.pt")
        return TrainingLoop(trainee, plan, none, none, requests, none, rank)
    events = EventWriter(folder / "progress.jsonl")
    kept = kept_checkpoints(folder, read_events(folder / "progress.jsonl"))
    store = CheckpointStore(folder, plan.keep_checkpoints, events, kept, free)
    return TrainingLoop(trainee, plan, store, events, requests, NoScalars(), rank, clock=clock)


def events(folder: Path, kind: str) -> list[Mapping[str, Any]]:
    return [event for event in read_events(folder / "progress.jsonl") if event["kind"] == kind]
