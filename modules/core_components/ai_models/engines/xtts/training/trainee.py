"""What the training loop works with: a model, the order of its clips, stop requests, curves."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


class Scalars(Protocol):
    """Takes the numbers of a step by their names."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...


class TensorBoardScalars:
    """Event files for `tensorboard --logdir FOLDER`, one for each start of a run.

    Steps that were taken again appear twice.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


# -- The order of clips and batches ----------------------------------------------------------------
# coqui's own data loader draws each clip at random with replacement, so that an epoch of N draws
# covers about 63 % of N clips. Here an epoch is a permutation that follows from the seed, cut into
# batches. The rest of it is a list of numbers in the saved state, so that a training resumes in the
# middle of an epoch, with another batch size if needed.

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

    A batch of one can make XTTS's loss NaN (see `TrainingPlan`). A single clip at the end takes
    another from the batch before it; with batches of two it is left out until the next epoch.
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
    """The number of steps that take `clips` clips once."""
    return len(step_batches(tuple(range(clips)), size, accumulation))


def shards(batch: Order, world: int, size: int) -> tuple[Order, ...]:
    """A batch of `world` processes cut for each of them: evenly, none of more than `size` clips or
    of a single one. Where there are too few clips the last processes get (); with batches of two
    an odd clip is left out until the next epoch."""
    if world == 1:
        return (batch,)
    busy = min(world, len(batch) // LEAST_BATCH)
    taken = batch[: busy * size]
    ends = [len(taken) * number // busy for number in range(busy + 1)]
    cut = [taken[start:end] for start, end in pairwise(ends)]
    return (*cut, *[()] * (world - busy))


@dataclass(frozen=True, eq=False)
class Batch:
    """`inputs` of the model, None where too few of the clips could be read; `clips` names those in
    it, `rejected` the others with the reason."""

    inputs: Any
    clips: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...] = ()


class Trainee(Protocol):
    """A model that learns from numbered clips.

    `trainable` is the part that is trained; the optimizer works on its parameters, and it alone is
    in the saved state.
    """

    clips: int
    trainable: torch.nn.Module
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
        """All weights, in the layout that the engine reads."""
        ...


class StopRequests:
    """Requests to stop a running training: at once, or when the epoch is over.

    They are files in the run's folder, so that any process can make one, signals of the system, and
    the end of the studio. They are checked between batches; `reason` says where one came from.
    """

    def __init__(self, stop_file: Path, after_epoch_file: Path) -> None:
        self._stop_file = stop_file
        self._after_epoch_file = after_epoch_file
        self._stop = threading.Event()
        self.reason = ""

    @property
    def at_once(self) -> bool:
        if not self._stop.is_set() and self._stop_file.exists():
            self.stop(_("It was stopped."))
        return self._stop.is_set()

    @property
    def after_epoch(self) -> bool:
        return self._after_epoch_file.exists()

    def stop(self, reason: str) -> None:
        """Requests a stop at once; the first reason is kept."""
        if not self._stop.is_set():
            self.reason = reason
            self._stop.set()

    def watch_parent(self, descriptor: int, exit_after_s: float = math.inf) -> None:
        """Requests a stop when the other end of the pipe, which the studio holds, is closed; the
        reason is what was written to it before. A process that has not ended `exit_after_s` later
        is ended."""

        def wait_for_end() -> None:
            # Not through sys.stdin: this thread would hold its lock, and a forked process that
            # reads clips closes sys.stdin first of all.
            said = b""
            while part := os.read(descriptor, 1024):
                said += part
            self.stop(said.decode("utf-8") or _("The studio was closed."))
            if exit_after_s < math.inf:
                time.sleep(exit_after_s)
                os._exit(1)

        threading.Thread(target=wait_for_end, name="studio-lives", daemon=True).start()

    def handle_signals(self) -> None:
        """Makes SIGTERM (a system that shuts down) and SIGINT (Ctrl-C) requests to stop at once."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self.stop(_("The system asked it to stop."))

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
