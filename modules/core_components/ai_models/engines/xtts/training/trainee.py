"""What the loop trains, as far as it has to know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modules.core_components.ai_models.engines.xtts.training.order import Order

if TYPE_CHECKING:
    import torch


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
