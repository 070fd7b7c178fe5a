"""What a training needs to go on as if it had never stopped: `state.pt`.

Besides the model and the optimizer it is little: the place. The learning rate and all random
numbers of a step follow from the step's number and the seed, so neither a scheduler nor the state
of a random generator has to be carried over, and on one machine a training that was broken off
ends with the same weights as one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.training.order import Order
from modules.core_components.errors import CorruptFileError

if TYPE_CHECKING:
    import torch

_VERSION = 1


@dataclass(frozen=True)
class Place:
    """Where a training is: `step` were taken, `epoch` (from 0) is under way, and of it the clips
    `remaining` are still to be heard. `best_loss` is the lowest evaluation loss so far (None before
    the first), `stale_epochs` how many epochs have passed since."""

    step: int
    epoch: int
    remaining: Order
    best_loss: float | None = None
    stale_epochs: int = 0


def state_of(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, place: Place
) -> dict[str, Any]:
    """Everything as plain values and tensors, which may still be the living ones."""
    return {
        "version": _VERSION,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "place": {**asdict(place), "remaining": list(place.remaining)},
    }


def restore_state(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Place:
    """Brings model and optimizer back to what `path` holds. Raises CorruptFileError."""
    import torch

    try:
        # Nothing but numbers is read; the file may lie in a folder that somebody exchanged.
        state = torch.load(path, map_location="cpu", weights_only=True)
        place = dict(state["place"])
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return Place(**{**place, "remaining": tuple(place["remaining"])})
    except Exception as error:  # torch raises whatever a damaged file makes it stumble over
        raise CorruptFileError(
            f"The state of the training in {path} cannot be used ({type(error).__name__}: {error})",
            "Begin a new training, or take the last checkpoint as it is.",
        ) from error


def tensor_bytes(value: Any) -> int:
    """What the tensors in a nested value take, in bytes."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, Mapping):
        return sum(tensor_bytes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(tensor_bytes(item) for item in value)
    return 0
