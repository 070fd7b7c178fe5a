"""One step: the gradients of some batches, then one change of the weights, or none at all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.stop_requests import StopRequests
from modules.core_components.ai_models.engines.xtts.training.trainee import Batch, Trainee
from modules.core_components.ai_models.model_pool import is_out_of_memory
from modules.core_components.ai_models.model_utils import empty_cuda_cache
from modules.core_components.errors import StudioError

_SEEDS_APART = 1_000_003  # a prime, so that trainings of neighbouring seeds share no numbers


class StopTraining(Exception):  # noqa: N818 - a wish of the user, not an error
    """Raised between two batches when the training shall stop at once."""


class NotFiniteError(Exception):
    """A loss or a gradient is not a number; `clips` were heard in that step."""

    def __init__(self, what: str, clips: tuple[str, ...]) -> None:
        super().__init__(what)
        self.what = what
        self.clips = clips


class OutOfMemoryError(StudioError):
    """The device had no room for a step; `changed` if that may have torn the weights."""

    def __init__(self, message: str, hint: str, changed: bool) -> None:
        super().__init__(message, hint)
        self.changed = changed


@dataclass(frozen=True)
class TakenStep:
    """`loss` is the mean of the batches', `gradient_norm` that before clipping."""

    loss: float
    gradient_norm: float
    learning_rate: float
    rejected: tuple[tuple[str, str], ...]


class Stepper:
    """Takes the steps of one training. Everything random in a step follows from its number."""

    def __init__(self, trainee: Trainee, plan: TrainingPlan, requests: StopRequests) -> None:
        self._trainee = trainee
        self._plan = plan
        self._requests = requests
        self._changing = False

    def take(self, batches: Iterable[Batch], step: int) -> TakenStep | None:
        """Step number `step` (from 0) on all of `batches`; None if none of them had enough clips.

        Raises StopTraining and NotFiniteError; then the weights are as before. Raises
        OutOfMemoryError.
        """
        self._changing = False
        try:
            return self._taken(tuple(batches), step)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Outside the except block: the traceback would keep the failed attempt's tensors alive.
        self._trainee.optimizer.zero_grad()
        empty_cuda_cache()
        batch_size, accumulation = self._plan.batch_size, self._plan.accumulation
        remedy = "Choose a lower limit for the longest clip, bf16, or a smaller model of the room."
        if batch_size > 2:
            remedy = (
                f"Resume with a batch size of {batch_size // 2} and an accumulation of "
                f"{accumulation * 2}: the same training in about half the memory."
            )
        raise OutOfMemoryError(
            f"There was not enough memory for step {step + 1} with a batch size of {batch_size}.",
            remedy,
            self._changing,
        )

    def _taken(self, batches: tuple[Batch, ...], step: int) -> TakenStep | None:
        import torch

        usable = [batch for batch in batches if batch.inputs is not None]
        rejected = tuple(clip for batch in batches for clip in batch.rejected)
        if not usable:
            return None
        optimizer = self._trainee.optimizer
        torch.manual_seed(self._plan.seed * _SEEDS_APART + step)
        optimizer.zero_grad()
        total = 0.0
        for batch in usable:
            if self._requests.at_once:
                raise StopTraining
            loss = self._trainee.loss(batch)
            if not math.isfinite(value := loss.item()):
                raise NotFiniteError("loss", batch.clips)
            (loss / len(usable)).backward()
            total += value
        learning_rate = self._plan.learning_rate * self._warmth(step)
        norm = torch.nn.utils.clip_grad_norm_(
            self._trainee.learning.parameters(), self._plan.gradient_clipping or math.inf
        ).item()
        if not math.isfinite(norm):
            raise NotFiniteError("gradient", tuple(c for batch in usable for c in batch.clips))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        self._changing = True
        optimizer.step()
        return TakenStep(total / len(usable), norm, learning_rate, rejected)

    def _warmth(self, step: int) -> float:
        """The part of the learning rate that a step has: rising in a line, then 1.

        coqui's recipe halves it after 50,000 steps of fine-tuning, which none ever reaches.
        """
        return min(1.0, (step + 1) / max(1, self._plan.warmup_steps))
