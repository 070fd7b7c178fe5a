"""The training loop: epochs, evaluation, checkpoints, and recovery from errors.

The model, its losses, its data loading and its optimizer are coqui's (see `xtts_trainee.py`). The
loop is our own, because coqui's `Trainer.fit`

- draws clips with replacement and cannot resume in the middle of an epoch,
- ends the process on any error and deletes the run's folder if it has no checkpoint yet,
- writes each checkpoint under its final name, with the optimizer and often twice,
- takes steps with a loss that is not finite, which spoil all weights.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from modules.core_components.ai_models.engines.xtts.training.checkpoints import (
    CheckpointStore,
    TrainingPosition,
    restore_state,
    state_of,
)
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.ranks import ALONE, NoRecords, Rank
from modules.core_components.ai_models.engines.xtts.training.stepping import (
    NotFiniteError,
    OutOfMemoryError,
    Stepper,
    StopTraining,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    Batch,
    Order,
    Scalars,
    StopRequests,
    Trainee,
    epoch_order,
    shards,
    shuffled,
    step_batches,
    steps_in_epoch,
)
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.library.training_events import (
    BACK,
    DONE,
    EVAL,
    NOTE,
    SAVING,
    START,
    STEP,
    STOPPED,
    EventWriter,
)
from modules.core_components.texts import _

logger = logging.getLogger(__name__)


# The first step that is not finite is skipped; the next in a row restores the last state; after so
# many, another order of clips will not help.
_BACK_AFTER, _GIVE_UP_AFTER = 2, 5


class TrainingLoop:
    """Trains until the plan is fulfilled or a stop is requested.

    With several ranks each of them runs this loop, with the same plan, the same order of clips and
    so the same position; each learns from its part of every batch.
    """

    def __init__(
        self,
        trainee: Trainee,
        plan: TrainingPlan,
        store: CheckpointStore | NoRecords,
        events: EventWriter | NoRecords,
        requests: StopRequests,
        scalars: Scalars,
        rank: Rank = ALONE,
        gpu_bytes: Callable[[], int | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.position = TrainingPosition(0, 0, epoch_order(trainee.clips, plan.seed, 0))
        self._trainee = trainee
        self._plan = plan
        self._store = store
        self._events = events
        self._requests = requests
        self._scalars = scalars
        self._gpu_bytes = gpu_bytes
        self._clock = clock
        self._rank = rank
        self._stepper = Stepper(trainee, plan, requests, self._rank)
        self._saved: TrainingPosition | None = None
        self._saved_s = clock()
        self._nonfinite_in_a_row = 0
        self._known_rejects: set[str] = set()

    def run(self) -> str:
        """Trains from the last state, if there is one. Returns "done" or "stopped".

        Raises BadInputError for too few clips, OutOfMemoryError, DiskFullError, and StudioError
        when the losses are not finite again and again; there always is a state to resume from.
        """
        self._begin()
        try:
            if self.position.best_loss is None:
                self.position = replace(self.position, best_loss=self._evaluate())
            while self.position.epoch < self._plan.epochs:
                self._epoch()
                if self._stale:
                    self._note(
                        _(
                            "The evaluation loss has not fallen for {epochs} epochs.",
                            epochs=self.position.stale_epochs,
                        ),
                        _(
                            "So the training ended early. Compare the checkpoints: the best "
                            "are kept."
                        ),
                    )
                    return DONE
                asked = self._rank.of_first(self._requests.after_epoch)
                if asked and self.position.epoch < self._plan.epochs:
                    return STOPPED
        except StopTraining:
            self._events.write(SAVING, **self._where())
            self._save()
            return STOPPED
        except OutOfMemoryError as error:
            if not error.changed:
                self._save()
            raise
        return DONE

    @property
    def _batch_size(self) -> int:
        """The clips of a batch of all ranks."""
        return self._plan.batch_size * self._rank.world

    @property
    def _stale(self) -> bool:
        patience = self._plan.early_stopping
        return 0 < patience <= self.position.stale_epochs

    def _begin(self) -> None:
        plan = self._plan
        resumed = self._rank.of_first(self._store.state_file.exists())
        if resumed:
            self._restore()
        if self._stale:  # it ended early, and was resumed by the user
            self.position = replace(self.position, stale_epochs=0)
        per_epoch = steps_in_epoch(self._trainee.clips, self._batch_size, plan.accumulation)
        if not per_epoch:
            raise BadInputError(
                _("{clips} clips are too few to train on.", clips=self._trainee.clips),
                _("Add recordings to the dataset."),
            )
        left = len(step_batches(self.position.remaining, self._batch_size, plan.accumulation))
        self._events.write(
            START,
            step=self.position.step,
            resumed=resumed,
            epochs=plan.epochs,
            steps_per_epoch=per_epoch,
            steps_total=self.position.step
            + (left if self.position.epoch < plan.epochs else 0)
            + per_epoch * max(0, plan.epochs - self.position.epoch - 1),
            clips=self._trainee.clips,
            processes=self._rank.world,
        )
        if not resumed:
            # There must be a state to restore, and a full disk is better known now.
            self._save()

    def _epoch(self) -> None:
        """What is left of an epoch, and its evaluation."""
        while self.position.remaining:
            self._steps()
        loss, position = self._evaluate(), self.position
        better = loss < (math.inf if position.best_loss is None else position.best_loss)
        self.position = TrainingPosition(
            step=position.step,
            epoch=position.epoch + 1,
            remaining=epoch_order(self._trainee.clips, self._plan.seed, position.epoch + 1),
            best_loss=loss if better else position.best_loss,
            stale_epochs=0 if better else position.stale_epochs + 1,
        )
        self._store.keep_weights(self._trainee.weights(), position.step, position.epoch + 1, loss)
        self._save()

    def _steps(self) -> None:
        """Steps on the remaining clips, until all are used or their order was changed."""
        plan = self._plan
        groups = step_batches(self.position.remaining, self._batch_size, plan.accumulation)
        loader = self._own_batches([batch for group in groups for batch in group])
        for group in groups:
            clips = sum(len(batch) for batch in group)
            batches, began_s = islice(loader, len(group)), self._clock()
            try:
                taken = self._stepper.take(batches, self.position.step)
            except NotFiniteError as trouble:
                if self._retry_from_checkpoint(trouble):
                    return
                deque(batches, maxlen=0)  # the rest of the step's batches
                taken = None
            else:
                self._nonfinite_in_a_row = 0
            remaining = self.position.remaining[clips:]
            if taken is None:
                self.position = replace(self.position, remaining=remaining)
                continue
            self.position = replace(self.position, step=self.position.step + 1, remaining=remaining)
            self._report_rejected(taken.rejected)
            self._report_step(
                loss=taken.loss,
                learning_rate=taken.learning_rate,
                gradient_norm=taken.gradient_norm,
                clips=taken.clips,
                step_s=self._clock() - began_s,
            )
            if self._clock() - self._saved_s >= plan.checkpoint_minutes * 60:
                self._save()
        self.position = replace(self.position, remaining=())

    def _own_batches(self, wanted: Sequence[Order]) -> Iterator[Batch]:
        """This rank's part of each batch; one without inputs where it has none."""
        rank, size = self._rank, self._plan.batch_size
        own = [shards(batch, rank.world, size)[rank.number] for batch in wanted]
        loaded = self._trainee.batches([part for part in own if part], self.position.epoch)
        return (next(loaded) if part else Batch(None, ()) for part in own)

    def _retry_from_checkpoint(self, trouble: NotFiniteError) -> bool:
        """Handles a step that was not finite and not taken: skips it, or restores the last state.

        True when the state was restored, with the remaining clips in another order. Raises
        StudioError after too many such steps in a row.
        """
        import torch

        self._nonfinite_in_a_row += 1
        clips = ", ".join(trouble.clips)
        number = self.position.step + 1
        if self._nonfinite_in_a_row >= _GIVE_UP_AFTER:
            raise StudioError(
                _(
                    "The {what} was no finite number {times} times in a row, "
                    "last in step {number} (clips {clips}).",
                    what=_(trouble.what),
                    times=self._nonfinite_in_a_row,
                    number=number,
                    clips=clips,
                ),
                _(
                    "Resume with a lower learning rate and the precision fp32, and listen to "
                    "these clips."
                ),
            )
        parameters = self._trainee.trainable.parameters()
        sound = all(bool(torch.isfinite(weights).all()) for weights in parameters)
        if sound and self._nonfinite_in_a_row < _BACK_AFTER:
            self._note(
                _(
                    "The {what} of step {number} was no finite number: the step was not "
                    "taken, and its clips come again in the next epoch ({clips}).",
                    what=_(trouble.what),
                    number=number,
                    clips=clips,
                ),
                _("If these clips come up again, listen to them."),
            )
            return False
        self._note(
            _(
                "The {what} of step {number} was no finite number again (clips {clips}): "
                "the last state was restored, and the clips follow in another order.",
                what=_(trouble.what),
                number=number,
                clips=clips,
            ),
            _("If it stays, stop and resume with a lower learning rate."),
        )
        self._restore()
        self._events.write(BACK, **self._where())
        key = (self._plan.seed, self.position.epoch, self.position.step, self._nonfinite_in_a_row)
        self.position = replace(self.position, remaining=shuffled(self.position.remaining, *key))
        return True

    def _evaluate(self) -> float:
        """The mean loss of a clip of the evaluation set, which the first rank computes. Raises
        StopTraining, in all ranks."""
        loss = None
        if self._rank.is_first:
            with suppress(StopTraining):
                loss = self._mean_evaluation_loss()
        loss = self._rank.of_first(loss)
        if loss is None:
            raise StopTraining
        return float(loss)

    def _mean_evaluation_loss(self) -> float:
        """Raises StopTraining, and StudioError where no clip gave a loss."""
        total, clips = 0.0, 0
        reason = ""
        for loss, batch in self._trainee.evaluation():
            if self._requests.at_once:
                raise StopTraining
            self._report_rejected(batch.rejected)
            for clip, why in batch.rejected[:1]:
                reason = reason or _(" Of clip {clip}: {why}.", clip=clip, why=why)
            if math.isfinite(loss):
                total += loss * len(batch.clips)
                clips += len(batch.clips)
            else:
                self._note(
                    _(
                        "An evaluation loss was no finite number and is left out (clips {clips}).",
                        clips=", ".join(batch.clips),
                    ),
                    _("Listen to these clips."),
                )
        if not clips:
            raise StudioError(
                _("None of the evaluation clips gave a loss.{reason}", reason=reason),
                _("Look at the evaluation set in the dataset's report."),
            )
        loss = total / clips
        self._events.write(EVAL, **self._where(), loss=loss)
        self._scalars.write(self.position.step, {"loss/evaluation": loss})
        return loss

    def _save(self) -> None:
        """Writes the state unless nothing has changed since."""
        if self.position != self._saved:
            state = state_of(self._trainee.trainable, self._trainee.optimizer, self.position)
            self._store.save_state(state, **self._where())
            self._saved, self._saved_s = self.position, self._clock()

    def _restore(self) -> None:
        self.position = self._saved = restore_state(
            self._store.state_file, self._trainee.trainable, self._trainee.optimizer
        )

    def _where(self) -> dict[str, int]:
        return {
            "step": self.position.step,
            "epoch": min(self.position.epoch + 1, self._plan.epochs),
        }

    def _report_step(self, **values: float) -> None:
        self._events.write(STEP, **self._where(), **values, gpu_bytes=self._gpu_bytes())
        self._scalars.write(
            self.position.step,
            {
                "loss/train": values["loss"],
                "learning_rate": values["learning_rate"],
                "gradient_norm": values["gradient_norm"],
                "step_s": values["step_s"],
            },
        )

    def _report_rejected(self, rejected: Iterable[tuple[str, str]]) -> None:
        for clip, reason in rejected:
            if clip not in self._known_rejects:
                self._known_rejects.add(clip)
                self._note(
                    _("Clip {clip} is left out: {reason}", clip=clip, reason=reason),
                    _("Fix it, or drop it."),
                )

    def _note(self, text: str, hint: str) -> None:
        logger.warning("%s %s", text, hint)
        self._events.write(NOTE, **self._where(), text=text, hint=hint)
