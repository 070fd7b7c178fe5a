"""One optimizer step of a training of XTTS: gradients are accumulated and clipped, the learning
rate is set by its schedule, the weights are updated; and what to do when memory runs out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from modules.core_components.ai_models.engines.xtts.training.plan import (
    ADAMW_8BIT,
    BF16,
    TrainingPlan,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    LEAST_BATCH,
    Batch,
    StopRequests,
    Trainee,
)
from modules.core_components.ai_models.model_pool import is_out_of_memory
from modules.core_components.ai_models.model_utils import empty_cuda_cache
from modules.core_components.errors import StudioError

_SHORTEST_LIMIT_S = 2.0
_SEEDS_APART = 1_000_003  # a prime, so that trainings of neighbouring seeds share no numbers


class StopTraining(Exception):  # noqa: N818 - requested by the user, not an error
    """Raised between two batches when a stop was requested."""


class NotFiniteError(Exception):
    """A loss or a gradient is not finite; `clips` were in that step."""

    def __init__(self, what: str, clips: tuple[str, ...]) -> None:
        super().__init__(what)
        self.what = what
        self.clips = clips


class OutOfMemoryError(StudioError):
    """The device had no memory for a step; `changed` if the weights may be half updated."""

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
            return self._take_step(tuple(batches), step)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Outside the except block: the traceback would keep the failed attempt's tensors alive.
        self._trainee.optimizer.zero_grad()
        empty_cuda_cache()
        plan = self._plan
        raise OutOfMemoryError(
            f"There was not enough memory for step {step + 1}, with batches of {plan.batch_size} "
            f"clips of up to {plan.max_clip_s:g} s in {plan.precision}.",
            out_of_memory_remedy(plan),
            self._changing,
        )

    def _take_step(self, batches: tuple[Batch, ...], step: int) -> TakenStep | None:
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
        learning_rate = self._plan.learning_rate * self._warm_up(step)
        norm = torch.nn.utils.clip_grad_norm_(
            self._trainee.trainable.parameters(), self._plan.gradient_clipping or math.inf
        ).item()
        if not math.isfinite(norm):
            raise NotFiniteError("gradient", tuple(c for batch in usable for c in batch.clips))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        self._changing = True
        optimizer.step()
        return TakenStep(total / len(usable), norm, learning_rate, rejected)

    def _warm_up(self, step: int) -> float:
        """The factor of the learning rate at a step: rises linearly in the warm-up, then is 1.

        coqui's recipe halves it after 50,000 steps of fine-tuning, which are never reached.
        """
        return min(1.0, (step + 1) / max(1, self._plan.warmup_steps))


def out_of_memory_remedy(plan: TrainingPlan) -> str:
    """What to change so that a training resumes in less memory: first what leaves its result as it
    is, then what is the least loss."""
    if plan.batch_size > LEAST_BATCH:
        size = max(LEAST_BATCH, plan.batch_size // 2)
        accumulation = math.ceil(plan.batch_size * plan.accumulation / size)
        return (
            f"Resume it with a batch size of {size} and an accumulation of {accumulation}: each "
            "step still learns from as many clips, and fewer are in memory at a time."
        )
    if not plan.gpt_checkpointing:
        return (
            "Resume it with gradient checkpointing: the same training in less memory, about a "
            "third slower."
        )
    if plan.precision != BF16:
        return "Resume it with the precision bf16, if the GPU has it (NVIDIA from 2020 on)."
    shorter_s = max(_SHORTEST_LIMIT_S, plan.max_clip_s * 0.7)
    remedy = f"Resume it with a longest clip of {shorter_s:.1f} s; longer ones are left out."
    if plan.optimizer != ADAMW_8BIT:
        remedy += " Or begin a new training with the optimizer adamw8bit, which needs 2.6 GB less."
    return f"{remedy} Close other programs that use the GPU."
