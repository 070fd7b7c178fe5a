"""What each rank does in test_ranks.py: several short trainings of the toy, one after the other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.ranks import (
    ALONE,
    Rank,
    join,
    launched_rank,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import Batch, StopRequests
from modules.core_components.errors import StudioError
from tests.core_components.ai_models.engines.xtts.toy_trainee import ToyTrainee, make_loop

# An epoch of 14 clips in batches of three for each of two ranks: the second step has a batch in
# which the second rank has nothing to do.
CLIPS = 14
PLAN = TrainingPlan(
    epochs=2, batch_size=3, accumulation=2, learning_rate=0.01, early_stopping=0
)  # fmt: skip
NAN = float("nan")


class SureToy(ToyTrainee):
    """Without dropout and with a loss of each clip alone, so that it does not matter in which rank
    a clip is heard, and with which others."""

    def __init__(self, before_loss: Callable[[Batch], float] | None = None) -> None:
        super().__init__(CLIPS, before_loss)
        self.trainable[1].p = 0.0

    def _distance(self, numbers: torch.Tensor) -> torch.Tensor:
        clips = torch.stack([numbers / 10, numbers / 20, torch.ones(len(numbers))], dim=1)
        return (self.trainable(clips) - clips - 1).pow(2).mean()


def train(
    folder: Path,
    plan: TrainingPlan,
    rank: Rank = ALONE,
    before_loss: Callable[[Batch], float] | None = None,
    requests: StopRequests | None = None,
) -> dict[str, Any]:
    """How a training ended in this rank, its weights, and how many clips are left of its epoch."""
    trainee = SureToy(before_loss)
    folder.mkdir(exist_ok=True)
    loop = make_loop(folder, trainee, plan, requests, rank=rank)
    try:
        outcome = loop.run()
    except StudioError as error:
        outcome = error.message
    return {
        "outcome": outcome,
        "weights": [
            value for w in trainee.trainable.parameters() for value in w.flatten().tolist()
        ],
        "left": len(loop.position.remaining),
        "heard": trainee.heard,
    }


def spoil_once(rank: Rank) -> Callable[[Batch], float]:
    """The second rank alone has a loss that is no number, in its first batch."""
    spoiled = iter([NAN] if rank.number == 1 else [])
    return lambda batch: next(spoiled, 1.0)


def run_out_of_memory(rank: Rank) -> Callable[[Batch], float]:
    """The second rank alone has no memory for its third batch, which is the second step's first."""
    batches = iter([1.0, 1.0])

    def before_loss(batch: Batch) -> float:
        if rank.number == 1 and next(batches, None) is None:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1.0

    return before_loss


def stopped(folder: Path, rank: Rank) -> StopRequests:
    """The second rank alone hears that it shall stop."""
    requests = StopRequests(folder / "none", folder / "none")
    if rank.number == 1:
        requests.stop("The system asked it to stop.")
    return requests


def main(folder: Path, rendezvous: str) -> None:
    torch.set_num_threads(1)
    rank = launched_rank(os.environ).rank
    join(rank, rendezvous, "cpu")
    stories = {
        "whole": train(folder / "whole", PLAN, rank),
        "spoiled": train(folder / "spoiled", PLAN, rank, spoil_once(rank)),
        "full": train(folder / "full", PLAN, rank, run_out_of_memory(rank)),
        "stopped": train(folder / "stopped", PLAN, rank, requests=stopped(folder, rank)),
    }
    (folder / f"{rank.number}.json").write_text(json.dumps(stories))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
