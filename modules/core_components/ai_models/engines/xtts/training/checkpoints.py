"""The files of a training: the state to resume from, and the best checkpoints to choose from.

Files are written atomically. Before each the free space is checked: where it is short, the worst of
the kept checkpoints are deleted; where that is not enough, the training ends with an error while
the last state is untouched.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components import atomic
from modules.core_components.ai_models.downloads.files import MARGIN_BYTES
from modules.core_components.ai_models.engines.xtts.training.trainee import Order
from modules.core_components.errors import CorruptFileError, DiskFullError
from modules.core_components.library.training_events import CHECKPOINT, NOTE, EventWriter
from modules.core_components.library.training_runs import KeptCheckpoint
from modules.core_components.texts import _
from modules.core_components.units import size_text

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


# Of `state.pt`, which holds model, optimizer and position. Learning rate and random numbers follow
# from step and seed, so that on one machine a resumed training ends with the same weights as one
# that was not interrupted.
_VERSION = 1


@dataclass(frozen=True)
class TrainingPosition:
    """How far a training is: `step` steps were taken, and of `epoch` (from 0) the clips `remaining`
    are left. `best_loss` is the lowest evaluation loss so far (None before the first),
    `stale_epochs` how many epochs have passed since."""

    step: int
    epoch: int
    remaining: Order
    best_loss: float | None = None
    stale_epochs: int = 0


def state_of(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, position: TrainingPosition
) -> dict[str, Any]:
    """The content of `state.pt`; the tensors are the model's own, not copies."""
    return {
        "version": _VERSION,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "place": {**asdict(position), "remaining": list(position.remaining)},
    }


def restore_state(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> TrainingPosition:
    """Loads model and optimizer from `path` and returns the position. Raises CorruptFileError."""
    import torch

    try:
        # weights_only: the file may come from somebody else and must not run code.
        state = torch.load(path, map_location="cpu", weights_only=True)
        position = dict(state["place"])
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return TrainingPosition(**{**position, "remaining": tuple(position["remaining"])})
    except Exception as error:  # torch raises many types for damaged files
        raise CorruptFileError(
            _("The saved state of the training cannot be used."),
            _("Begin a new training, or take the last checkpoint as it is."),
            details=f"{path}: {type(error).__name__}: {error}",
        ) from error


def tensor_bytes(value: Any) -> int:
    """The size of all tensors in a nested value, in bytes."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, Mapping):
        return sum(tensor_bytes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(tensor_bytes(item) for item in value)
    return 0


def free_bytes(folder: Path) -> int:
    """The free space on the disk of a folder."""
    return shutil.disk_usage(folder).free


class CheckpointStore:
    """The files of one run. `kept` are the checkpoints that it has already.

    The best `keep` by evaluation loss are kept, and the last: the loss is a poor measure of how a
    voice sounds, and the last weights beat the best by far in published comparisons.
    """

    def __init__(
        self,
        folder: Path,
        keep: int,
        events: EventWriter,
        kept: tuple[KeptCheckpoint, ...] = (),
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.state_file = folder / "state.pt"
        self._folder = folder
        self._keep = keep
        self._events = events
        self._kept = list(kept)
        self._free = free
        (folder / "checkpoints").mkdir(exist_ok=True)
        atomic.remove_leftovers(folder, older_than_s=0)
        atomic.remove_leftovers(folder / "checkpoints", older_than_s=0)

    def save_state(self, state: Mapping[str, Any], step: int, epoch: int) -> None:
        """Replaces the state to resume from. Raises DiskFullError; then the older one stays."""
        seconds = self._save(state, self.state_file)
        self._events.write(
            CHECKPOINT, step=step, epoch=epoch, file=self.state_file.name, write_s=seconds
        )

    def keep_weights(
        self, weights: Mapping[str, Any], step: int, epoch: int, eval_loss: float
    ) -> None:
        """Keeps the weights after a step; deletes those that are neither among the best nor the
        last.

        Raises DiskFullError; then nothing was written.
        """
        path = self._folder / "checkpoints" / f"{step}.pth"
        seconds = self._save(weights, path)
        self._kept = [checkpoint for checkpoint in self._kept if checkpoint.path != path]
        self._kept.append(KeptCheckpoint(step, epoch, eval_loss, path))
        self._events.write(
            CHECKPOINT,
            step=step,
            epoch=epoch,
            file=path.relative_to(self._folder).as_posix(),
            eval_loss=eval_loss,
            write_s=seconds,
        )
        for checkpoint in self._ranked()[self._keep :]:
            if checkpoint.path != path:
                self._discard(checkpoint)

    def _save(self, content: Mapping[str, Any], path: Path) -> float:
        """Writes a file and returns the seconds it took."""
        import torch

        began_s = time.monotonic()
        self._make_room(tensor_bytes(content), path.name)
        with atomic.atomic_path(path) as partial:
            torch.save(dict(content), partial)
        return round(time.monotonic() - began_s, 3)

    def _make_room(self, needed: int, name: str) -> None:
        while self._free(self._folder) < needed + MARGIN_BYTES:
            if len(self._kept) <= 1:
                raise DiskFullError(
                    _(
                        "The disk of {folder} has {free} free; {needed} are needed to write "
                        "{name}.",
                        folder=self._folder,
                        free=size_text(self._free(self._folder)),
                        needed=size_text(needed + MARGIN_BYTES),
                        name=name,
                    ),
                    _("Free some space, then resume: the training continues from its last state."),
                )
            victim = self._ranked()[-1]
            self._discard(victim)
            self._events.write(
                NOTE,
                step=victim.step,
                epoch=victim.epoch,
                text=_(
                    "The disk is nearly full: the checkpoint of step {step} was deleted.",
                    step=victim.step,
                ),
                hint=_("Free some space, or keep fewer checkpoints."),
            )

    def _ranked(self) -> list[KeptCheckpoint]:
        def rank(checkpoint: KeptCheckpoint) -> tuple[float, int]:
            loss = checkpoint.eval_loss
            return (loss if math.isfinite(loss) else math.inf, checkpoint.step)

        return sorted(self._kept, key=rank)

    def _discard(self, checkpoint: KeptCheckpoint) -> None:
        self._kept.remove(checkpoint)
        checkpoint.path.unlink(missing_ok=True)
        logger.info("Removed the weights of step %d", checkpoint.step)
