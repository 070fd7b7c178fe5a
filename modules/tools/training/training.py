"""Fine-tuning XTTS on a dataset: start, stop, go on. The work is done in a child process."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from modules.core_components.ai_models.engines.base import parse_options
from modules.core_components.ai_models.engines.xtts.checkpoint import CONFIG, VOCABULARY, WEIGHTS
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan, TrainingSetup
from modules.core_components.ai_models.engines.xtts.training.process import TrainingProcess
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import row_to_json
from modules.core_components.ai_models.model_pool import ModelPool, whole_device
from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.store import ACTIVE, INTERRUPTED, QUEUED
from modules.core_components.library import training_events
from modules.core_components.library.training_events import Event, EventReader, read_events
from modules.core_components.library.training_runs import ALIVE, TrainingRun
from modules.core_components.progress import CancelToken, Progress
from modules.tools.services import Services
from modules.tools.training.preflight import TRAINING_FILES, preflight

# Keeps the memory of a device for a training as long as its process lives.


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


TRAIN = "train_xtts"

_FOLLOW_EVERY_S = 0.2
# A stopped training ends its batch first; one that hangs is ended, and goes on from its last state.
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class TrainingRequest:
    """A training as a user asks for it: `run` is its name, `dataset` that of a dataset,
    `base_model` the id of an XTTS model, `options` are fields of `TrainingPlan` (those not given
    have its defaults)."""

    run: str
    dataset: str
    base_model: str = "xtts-v2.0.3"
    options: Mapping[str, Any] = field(default_factory=dict)


def new_run(services: Services, request: TrainingRequest) -> TrainingRun:
    """Keeps a training's rows and plan, after everything was looked at that can go wrong.

    Raises BadInputError for what the preflight stops, with its remedies, and as `preflight` does.
    """
    found = preflight(services, request)
    if found.stops:
        raise BadInputError(
            " ".join(check.message for check in found.stops),
            " ".join(check.hint for check in found.stops if check.hint),
        )
    return services.training_runs.create(
        request.run,
        request.dataset,
        request.base_model,
        services.datasets.get(request.dataset).language,
        asdict(parse_options(TrainingPlan, request.options)),
        [row_to_json(row) for row in (*found.train, *found.evaluation)],
    )


def start_training(services: Services, request: TrainingRequest) -> Job:
    """Queues a new training. Raises as `new_run`."""
    return _queued(services, new_run(services, request))


def reopen_run(
    services: Services,
    name: str,
    more_epochs: int = 0,
    options: Mapping[str, Any] | None = None,
) -> TrainingRun:
    """The run with its plan changed, ready to go on from its last state.

    `options` change the plan (a smaller batch after running out of memory). `more_epochs` come
    after those it has, or after those it heard if it ended before. Raises NotFoundError,
    BadInputError while it runs and for options out of range.
    """
    run = services.training_runs.get(name)
    if _is_under_way(services, run):
        raise BadInputError(
            f"The training {run.name} is under way: it is {run.state}.",
            "Wait until it has ended, or stop it first.",
        )
    # Not when the process starts: whoever presses Stop while it still loads would not be heard.
    _forget_wishes(run)
    changes = dict(options or {})
    if more_epochs:
        evals = [e for e in read_events(run.files.progress) if e["kind"] == training_events.EVAL]
        ended = run.state == training_events.DONE and evals
        heard = evals[-1]["epoch"] if ended else run.plan["epochs"]
        changes["epochs"] = heard + more_epochs
    plan = asdict(parse_options(TrainingPlan, {**run.plan, **changes}))
    return services.training_runs.change_plan(name, plan)


def resume_training(
    services: Services,
    name: str,
    more_epochs: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Job:
    """Queues a training that stopped, failed or is done, from its last state; see `reopen_run`."""
    run = reopen_run(services, name, more_epochs, options)
    interrupted = _job_of(services, run, (INTERRUPTED,))
    return services.jobs.resume(interrupted.id) if interrupted else _queued(services, run)


def stop_training(services: Services, name: str) -> TrainingRun:
    """Asks a training to keep its state and stop at once; one that still waits is not begun.

    Raises NotFoundError.
    """
    run = services.training_runs.get(name)
    if job := _job_of(services, run, (QUEUED,)):
        services.jobs.cancel(job.id)
    elif _is_under_way(services, run):
        run.files.stop.touch()
    return run


def stop_after_epoch(services: Services, name: str) -> TrainingRun:
    """Asks a training to stop when it has heard every clip once more. Raises NotFoundError."""
    run = services.training_runs.get(name)
    if _is_under_way(services, run):
        run.files.stop_after_epoch.touch()
    return run


def train(
    services: Services, payload: Mapping[str, Any], progress: Progress, cancel: CancelToken
) -> Mapping[str, Any]:
    """Trains the run `payload["run"]` from its last state and follows it to its end.

    Returns {"run", "outcome"}: "done", or "stopped" if somebody asked the training itself. When
    `cancel` is set it returns within seconds, while the process may still be writing its state.
    Raises JobCancelled then, ModelBusyError, and StudioError for what ended the training early.
    """
    run = services.training_runs.get(payload["run"])
    progress(0.0, "Waiting for the memory of the device")
    _setup_of(services, run).write(run.files.setup)
    diary = EventReader(run.files.progress)
    diary.new()  # what earlier starts wrote
    context = services.tts.context
    supervisor = TrainingSupervisor(services.tts.pool, context.device, run, cancel)
    supervisor.start()
    last = _followed(run, supervisor, diary, progress, cancel)
    _forget_wishes(run)
    if supervisor.error is not None:
        raise supervisor.error
    if cancel.cancelled:
        raise JobCancelled
    if last.get("kind") != training_events.END:
        raise StudioError(
            f"The process of the training {run.name} ended (exit code {supervisor.exit_code}) "
            "without a word.",
            "Resume it: it goes on from its last state. train.log in its folder may tell why.",
        )
    if last["outcome"] == training_events.FAILED:
        raise StudioError(last["text"], last["hint"])
    return {"run": run.name, "outcome": last["outcome"]}


def _followed(
    run: TrainingRun,
    supervisor: TrainingSupervisor,
    diary: EventReader,
    progress: Progress,
    cancel: CancelToken,
) -> Event:
    """Reports what the training does until it ends; returns the last event, {} without one.

    Once cancelled it ends as soon as nothing is computed any more.
    """
    kill_at_s, epochs, total, last = math.inf, 0, 0, dict[str, Any]()
    while True:
        alive = supervisor.is_alive()
        for event in diary.new():
            last = dict(event)
            if event["kind"] == training_events.START:
                epochs, total = event["epochs"], event["steps_total"]
            elif event["kind"] == training_events.STEP:
                progress(
                    event["step"] / max(total, 1),
                    f"Epoch {event['epoch']} of {epochs}, step {event['step']} of {total}, "
                    f"loss {event['loss']:.3f}",
                )
        saving = last.get("kind") == training_events.SAVING
        if not alive or (cancel.cancelled and saving):
            return last
        if cancel.cancelled and kill_at_s == math.inf:
            run.files.stop.touch()
            kill_at_s = time.monotonic() + _PATIENCE_S
        elif time.monotonic() > kill_at_s:
            supervisor.kill()
        supervisor.join(_FOLLOW_EVERY_S)


def _setup_of(services: Services, run: TrainingRun) -> TrainingSetup:
    """Where everything lies now. Raises NotFoundError, ModelMissingError, CorruptFileError."""
    base, support = (
        services.downloader.verify(model_id) for model_id in (run.base_model, TRAINING_FILES)
    )
    return TrainingSetup(
        plan=parse_options(TrainingPlan, run.plan),
        language=run.language,
        device=services.tts.context.device,
        threads=services.settings.torch_threads,
        dataset_folder=services.datasets.get(run.dataset).folder,
        weights=base / WEIGHTS,
        config=base / CONFIG,
        vocabulary=base / VOCABULARY,
        dvae=support / "dvae.pth",
        mel_norms=support / "mel_stats.pth",
    )


def _queued(services: Services, run: TrainingRun) -> Job:
    return services.jobs.submit(TRAIN, f"Train {run.name}", {"run": run.name})


def _is_under_way(services: Services, run: TrainingRun) -> bool:
    """Also while its process still starts, or waits for its turn."""
    return run.state in ALIVE or _job_of(services, run, ACTIVE) is not None


def _forget_wishes(run: TrainingRun) -> None:
    for wish in (run.files.stop, run.files.stop_after_epoch):
        wish.unlink(missing_ok=True)


def _job_of(services: Services, run: TrainingRun, states: tuple[str, ...]) -> Job | None:
    jobs = services.jobs.list(states=states, kind=TRAIN)
    return next((job for job in jobs if job.payload.get("run") == run.name), None)


# Training as a job: it waits in a lane of its own, and is offered again after a crash.


def register(services: Services) -> None:
    """Tells the runner how to train, also a run left over from another start of the studio."""

    def do_train(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        return train(services, payload, job.progress, job.cancel)

    services.jobs.register(TRAIN, do_train, lane="training")
