"""Keeps the memory of a device for a training as long as its process lives."""

from __future__ import annotations

import threading

from modules.core_components.ai_models.engines.xtts.training.process import TrainingProcess
from modules.core_components.ai_models.model_pool import ModelPool, whole_device
from modules.core_components.library.training_runs import TrainingRun
from modules.core_components.progress import CancelToken

_HINT = (
    "Wait until the training is done, or stop it on the Train XTTS tab: it keeps its state and can "
    "be resumed."
)


class TrainingSupervisor(threading.Thread):
    """Starts the process when the device is free and waits for its end.

    A thread of its own, since a stopped training may still be writing its state when the job that
    started it is over: the memory is given back when the process is gone. `error` is what kept it
    from starting, `exit_code` that of the process.
    """

    def __init__(self, pool: ModelPool, device: str, run: TrainingRun, cancel: CancelToken) -> None:
        super().__init__(name=f"training-{run.name}", daemon=True)
        self.error: BaseException | None = None
        self.exit_code: int | None = None
        self._pool = pool
        self._device = device
        self._run = run
        self._cancel = cancel
        self._process: TrainingProcess | None = None

    def run(self) -> None:
        holder = f"The training {self._run.name}"
        try:
            with whole_device(self._pool, self._device, holder, _HINT, self._cancel):
                self._process = TrainingProcess(self._run.files)
                try:
                    self.exit_code = self._process.wait()
                finally:
                    self._process.close()
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for this thread
            self.error = error

    def kill(self) -> None:
        """Ends a process that does not heed its wish to stop."""
        if self._process is not None:
            self._process.kill()
