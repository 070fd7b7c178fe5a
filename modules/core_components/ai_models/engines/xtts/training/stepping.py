"""One optimizer step of a training of XTTS: gradients are accumulated and clipped, the learning
rate is set by its schedule, the weights are updated; and what to do when memory runs out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.training.plan import (
    ADAMW_8BIT,
    BF16,
    TrainingPlan,
)
from modules.core_components.ai_models.engines.xtts.training.ranks import ALONE, Rank, SharedLosses
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    LEAST_BATCH,
    Batch,
    StopRequests,
    Trainee,
)
from modules.core_components.ai_models.model_pool import is_out_of_memory
from modules.core_components.ai_models.model_utils import empty_cuda_cache
from modules.core_components.errors import StudioError
from modules.core_components.texts import _, mark

if TYPE_CHECKING:
    import torch

_SHORTEST_LIMIT_S = 2.0
_SEEDS_APART = 1_000_003  # a prime, so that trainings of neighbouring seeds share no numbers
_RANKS_APART = 2_654_435_761  # another, since torch's generator takes 32 bits on a processor


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
    """`loss` is the mean of the batches', `gradient_norm` that before clipping, `clips` how many
    were in them; all of every rank."""

    loss: float
    gradient_norm: float
    learning_rate: float
    rejected: tuple[tuple[str, str], ...]
    clips: int


@dataclass(frozen=True)
class _Trouble:
    """Why a rank cannot take a step: a stop was requested, memory ran out, or clips whose loss is
    not finite."""

    stops: bool = False
    lacks_memory: bool = False
    clips: tuple[str, ...] = ()


class Stepper:
    """Takes the steps of one training. Everything random in a step follows from its number and the
    rank's."""

    def __init__(
        self, trainee: Trainee, plan: TrainingPlan, requests: StopRequests, rank: Rank = ALONE
    ) -> None:
        self._trainee = trainee
        self._plan = plan
        self._requests = requests
        self._rank = rank
        self._losses = SharedLosses(trainee, rank)
        self._changing = False

    def take(self, batches: Iterable[Batch], step: int) -> TakenStep | None:
        """Step number `step` (from 0) on all of `batches`; None if none of them had enough clips.

        Every rank gives as many batches; its own part of one may be without inputs. Raises
        StopTraining and NotFiniteError, in all ranks; then the weights are as before. Raises
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
            _(
                "There was not enough memory for step {step}, with batches of "
                "{batch_size} clips of up to {max_clip_s:g} s in {precision}.",
                step=step + 1,
                batch_size=plan.batch_size,
                max_clip_s=plan.max_clip_s,
                precision=plan.precision,
            ),
            out_of_memory_remedy(plan),
            self._changing,
        )

    def _take_step(self, batches: tuple[Batch, ...], step: int) -> TakenStep | None:
        import torch

        rank = self._rank
        counts = [0 if batch.inputs is None else len(batch.clips) for batch in batches]
        rejected = [clip for batch in batches for clip in batch.rejected]
        heard = rank.exchange({"counts": counts, "rejected": rejected})
        totals = [sum(found) for found in zip(*(one["counts"] for one in heard), strict=True)]
        usable = [number for number, total in enumerate(totals) if total]
        if not usable:
            return None
        optimizer = self._trainee.optimizer
        torch.manual_seed(self._plan.seed * _SEEDS_APART + step + rank.number * _RANKS_APART)
        optimizer.zero_grad()
        # A batch counts as much as any other, and in it a clip as any other, in whatever rank.
        shares = [
            count / total if total else 0.0 for count, total in zip(counts, totals, strict=True)
        ]
        loss = self._add_gradients(batches, usable, shares)
        learning_rate = self._plan.learning_rate * self._warm_up(step)
        norm = torch.nn.utils.clip_grad_norm_(
            self._trainee.trainable.parameters(), self._plan.gradient_clipping or math.inf
        ).item()
        if not math.isfinite(norm):
            clips = [clip for batch in batches if batch.inputs is not None for clip in batch.clips]
            raise NotFiniteError(mark("gradient"), _joined(rank.exchange(clips)))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        self._changing = True
        optimizer.step()
        return TakenStep(
            loss,
            norm,
            learning_rate,
            tuple((clip, reason) for one in heard for clip, reason in one["rejected"]),
            sum(totals),
        )

    def _add_gradients(
        self, batches: Sequence[Batch], usable: Sequence[int], shares: Sequence[float]
    ) -> float:
        """Adds up the gradients of the usable batches and averages them over all ranks. Returns
        the mean loss. `shares` says how much of each batch this rank has."""
        *earlier, last = usable
        loss, total, trouble = None, 0.0, _Trouble()
        try:
            with self._losses.apart():
                for number in earlier:
                    loss, value = self._loss_of(batches[number])
                    total += value * shares[number]
                    self._backward(loss, shares[number], len(usable))
            loss, value = self._loss_of(batches[last])
            total += value * shares[last]
        except StopTraining:
            trouble = _Trouble(stops=True)
        except NotFiniteError as error:
            trouble = _Trouble(clips=error.clips)
        except Exception as error:
            if self._rank.world == 1 or not is_out_of_memory(error):
                raise
            trouble = _Trouble(lacks_memory=True)
        total = self._agree(trouble, total)
        # With several ranks here their gradients meet.
        self._backward(loss, shares[last], len(usable))
        return total / len(usable)

    def _loss_of(self, batch: Batch) -> tuple[torch.Tensor, float]:
        """The loss of a batch, or a zero for one without inputs. Raises StopTraining and
        NotFiniteError."""
        if self._requests.at_once:
            raise StopTraining
        if batch.inputs is None:
            return self._losses(None), 0.0
        loss = self._losses(batch)
        if not math.isfinite(value := loss.item()):
            raise NotFiniteError(mark("loss"), batch.clips)
        return loss, value

    def _backward(self, loss: Any, share: float, batches: int) -> None:
        # What is averaged over the ranks is multiplied by their number, so that it is a sum.
        weight = share * self._rank.world
        (loss / (batches / weight) if weight else loss).backward()

    def _agree(self, trouble: _Trouble, loss: float) -> float:
        """The sum of the ranks' losses. In every rank it raises what one of them has met:
        StopTraining, NotFiniteError, or that memory ran out."""
        heard = self._rank.exchange({**asdict(trouble), "loss": loss})
        if any(one["stops"] for one in heard):
            raise StopTraining
        if any(one["lacks_memory"] for one in heard):
            raise MemoryError
        if clips := _joined(one["clips"] for one in heard):
            raise NotFiniteError(mark("loss"), clips)
        return float(sum(one["loss"] for one in heard))

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
        return _(
            "Resume it with a batch size of {size} and an accumulation of "
            "{accumulation}: each step still learns from as many clips, and fewer "
            "are in memory at a time.",
            size=size,
            accumulation=accumulation,
        )
    if not plan.gpt_checkpointing:
        return _(
            "Resume it with gradient checkpointing: the same training in less "
            "memory, about a third slower."
        )
    if plan.precision != BF16:
        return _("Resume it with the precision bf16, if the GPU has it (NVIDIA from 2020 on).")
    shorter_s = max(_SHORTEST_LIMIT_S, plan.max_clip_s * 0.7)
    remedy = _(
        "Resume it with a longest clip of {shorter_s:.1f} s; longer ones are left out.",
        shorter_s=shorter_s,
    )
    if plan.optimizer != ADAMW_8BIT:
        remedy += _(
            " Or begin a new training with the optimizer adamw8bit, which needs 2.6 GB less."
        )
    return _("{remedy} Close other programs that use the GPU.", remedy=remedy)


def _joined(clips: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(clip for part in clips for clip in part)
