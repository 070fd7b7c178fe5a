"""Several processes that train one model together, each with its own part of every batch.

Each is a *rank* with a copy of the model. Gradients are averaged by torch's
DistributedDataParallel while they are computed, so that all copies stay the same: over NCCL between
GPUs, over gloo between processors. What is said between two steps (clips, losses, requests to stop)
goes over gloo as JSON, always: a rank that fails is noticed there, before the others wait for its
gradients.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.training.trainee import Batch, Trainee
from modules.core_components.errors import StudioError
from modules.core_components.texts import _, mark

if TYPE_CHECKING:
    import torch

# The first rank evaluates and writes files for as long as that takes, while the others wait. One
# that ends is noticed at once: its connections close.
_PATIENCE = timedelta(days=30)
_CANNOT_JOIN = mark("The processes of the training could not be connected.")


@dataclass(frozen=True)
class Rank:
    """One of the `world` processes that train together; `number` counts from 0.

    The first one evaluates, writes events and keeps checkpoints. A world of one is a training as
    ever: nothing is exchanged.
    """

    number: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        return self.number == 0

    def exchange(self, said: Any) -> list[Any]:
        """What every rank has said (plain JSON), in their order. All must call it."""
        if self.world == 1:
            return [said]
        import torch
        from torch import distributed

        content = torch.frombuffer(bytearray(json.dumps(said).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _unused in range(self.world)]
        distributed.all_gather(sizes, torch.tensor([len(content)]))
        lengths = [int(size) for size in sizes]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(content)] = content
        parts = [torch.empty_like(padded) for _unused in range(self.world)]
        distributed.all_gather(parts, padded)
        return [
            json.loads(bytes(part[:length].tolist()))
            for part, length in zip(parts, lengths, strict=True)
        ]

    def of_first(self, said: Any) -> Any:
        """What the first rank has said. All must call it."""
        return self.exchange(said if self.is_first else None)[0]


ALONE = Rank()


@dataclass(frozen=True)
class LaunchedRank:
    """A rank, its number among the processes on this machine, and how many these are."""

    rank: Rank
    number_here: int
    processes_here: int


def launched_rank(environment: Mapping[str, str] = os.environ) -> LaunchedRank:
    """What this process is, by the variables that torchrun sets."""
    rank, world, number_here, processes_here = (
        int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    )
    return LaunchedRank(Rank(rank, world), number_here, processes_here)


def join(rank: Rank, rendezvous: str, device: str) -> None:
    """Connects this process with the other ranks; returns when all are there.

    `rendezvous` is what torch calls an init method: "file://..." on a disk that all of them share,
    "tcp://HOST:PORT", or "env://" for what torchrun sets. Raises StudioError.
    """
    from torch import distributed

    on_gpus = device.startswith("cuda")
    try:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
            init_method=rendezvous,
            rank=rank.number,
            world_size=rank.world,
            timeout=_PATIENCE,
        )
        rank.exchange(None)
    except (RuntimeError, ValueError, OSError) as error:
        raise StudioError(
            _(_CANNOT_JOIN),
            _("Resume it with one process, or look into the log."),
            details=f"{rendezvous}: {error}",
        ) from error


def _make_losses(trainee: Trainee) -> torch.nn.Module:
    import torch

    class Losses(torch.nn.Module):
        """The loss of a batch as a module, which DistributedDataParallel wants: its gradients are
        averaged when they come out of `backward`."""

        def __init__(self) -> None:
            super().__init__()
            self.trainable = trainee.trainable

        def forward(self, batch: Batch | None) -> torch.Tensor:
            if batch is not None:
                return trainee.loss(batch)
            return torch.stack(
                [0.0 * weights.sum() for weights in self.trainable.parameters()]
            ).sum()

    return Losses()


class SharedLosses:
    """The losses of a trainee, whose gradients are averaged over all ranks where that is wanted."""

    def __init__(self, trainee: Trainee, rank: Rank) -> None:
        self._losses: Any = _make_losses(trainee)
        self._is_shared = rank.world > 1
        if self._is_shared:
            from torch.nn.parallel import DistributedDataParallel

            self._losses = DistributedDataParallel(self._losses, gradient_as_bucket_view=True)

    def __call__(self, batch: Batch | None) -> torch.Tensor:
        """The loss of a batch; of None a zero whose gradients are zeros: a rank without clips takes
        part in the average all the same."""
        loss: torch.Tensor = self._losses(batch)
        return loss

    def apart(self) -> AbstractContextManager[None]:
        """While it is open, gradients add up in this rank alone."""
        if not self._is_shared:
            return nullcontext()
        unsynchronized: AbstractContextManager[None] = self._losses.no_sync()
        return unsynchronized


class NoRecords:
    """Stands for store, events and curves in every rank but the first: it keeps nothing."""

    def __init__(self, state_file: Path) -> None:
        self.state_file = state_file

    def save_state(self, state: Mapping[str, Any], step: int, epoch: int) -> None: ...

    def keep_weights(
        self, weights: Mapping[str, Any], step: int, epoch: int, eval_loss: float
    ) -> None: ...

    def write(self, *given: Any, **fields: Any) -> None: ...
