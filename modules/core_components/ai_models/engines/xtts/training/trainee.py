"""What the loop trains, as far as it has to know it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


# The curves for TensorBoard, for those who know it: `tensorboard --logdir training`.


class Scalars(Protocol):
    """Takes the numbers of a step by their names."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...


class TensorBoardScalars:
    """Event files in `folder`, one a start. Steps that were taken again are drawn twice; the diary
    knows which of them count."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


# In which order the clips of an epoch are heard, and in which batches.
#
# coqui's own data loader draws each clip at random *with* replacement, so that an epoch of N draws
# hears about 63 % of N clips, some of them thrice. Here an epoch is a real pass: a permutation that
# follows from the seed, cut into batches. What is left of it is a plain list of numbers, which lies
# in the saved state, so that a training goes on in the middle of an epoch, with another batch size
# if that has to be.


Order = tuple[int, ...]
LEAST_BATCH = 2


def epoch_order(clips: int, seed: int, epoch: int) -> Order:
    """The numbers 0..clips-1 in the order of an epoch (counted from 0)."""
    return shuffled(range(clips), seed, epoch)


def shuffled(remaining: Sequence[int], *key: int) -> Order:
    """`remaining` in another order, which follows from the key."""
    return tuple(int(clip) for clip in np.random.default_rng(key).permutation(list(remaining)))


def batches(remaining: Order, size: int) -> tuple[Order, ...]:
    """`remaining` in batches of `size` and one of what is left over, never of a single clip.

    A batch of one can make XTTS's loss NaN (see `TrainingPlan`). A clip that would be alone gets
    company from the batch before it; with batches of two there is none to spare, and it is left
    out until the next epoch.
    """
    cut = [remaining[start : start + size] for start in range(0, len(remaining), size)]
    if cut and len(cut[-1]) < LEAST_BATCH:
        alone = cut.pop()
        if cut and size > LEAST_BATCH:
            full = cut.pop()
            cut += [full[:-1], full[-1:] + alone]
    return tuple(cut)


def step_batches(remaining: Order, size: int, accumulation: int) -> tuple[tuple[Order, ...], ...]:
    """The batches of each step: `accumulation` of them, fewer in an epoch's last step."""
    all_batches = batches(remaining, size)
    return tuple(
        all_batches[start : start + accumulation]
        for start in range(0, len(all_batches), accumulation)
    )


def steps_in_epoch(clips: int, size: int, accumulation: int) -> int:
    """How many steps hear `clips` clips once."""
    return len(step_batches(tuple(range(clips)), size, accumulation))


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips ready to be heard: `inputs` is the engine's own business, None where too few of the
    clips could be read. `clips` names those in it, `rejected` the others with the reason."""

    inputs: Any
    clips: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...] = ()


class Trainee(Protocol):
    """A model that learns from numbered clips.

    `learning` is the part that is trained; the optimizer works on its parameters, and it alone is
    in the saved state.
    """

    clips: int
    learning: torch.nn.Module
    optimizer: torch.optim.Optimizer

    def batches(self, wanted: Sequence[Order], epoch: int) -> Iterator[Batch]:
        """The batches of clips in this order; what is random about them follows from the epoch."""
        ...

    def loss(self, batch: Batch) -> torch.Tensor:
        """A scalar with a gradient; dropout draws from torch's generator."""
        ...

    def evaluation(self) -> Iterator[tuple[float, Batch]]:
        """The loss of each batch of the evaluation set, without gradient and chance."""
        ...

    def weights(self) -> Mapping[str, Any]:
        """All weights, as whoever speaks with them expects them."""
        ...
