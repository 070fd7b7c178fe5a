"""Fine-tuning XTTS on a dataset: start, stop, resume. A child process does the work."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.ai_models.engines.xtts.checkpoint import CONFIG, WEIGHTS
from modules.core_components.ai_models.engines.xtts.training.plan import (
    ADAMW,
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.process import TrainingProcess
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    read_rows,
    row_to_json,
)
from modules.core_components.ai_models.model_pool import ModelPool, whole_device
from modules.core_components.errors import BadInputError, JobCancelled, ModelBusyError, StudioError
from modules.core_components.jobs import Job, JobContext, JobRunner
from modules.core_components.jobs.job import ACTIVE, INTERRUPTED, QUEUED
from modules.core_components.library import training_events
from modules.core_components.library.training_events import Event, EventReader, read_events
from modules.core_components.library.training_runs import ALIVE, TrainingRun
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.texts import _, mark
from modules.tools.services import Services
from modules.tools.training.base import verified_base
from modules.tools.training.devices import training_devices
from modules.tools.training.preflight import (
    TRAINING_FILES,
    TrainingRequest,
    preflight,
)
from modules.tools.training.run_texts import run_front_end, run_vocabulary

TRAIN = "train_xtts"
LANE = "training"

_FOLLOW_EVERY_S = 0.2
# A stopped training ends its batch first; one that hangs is killed.
_KILL_AFTER_S = 20.0
_HINT = mark(
    "Wait until the training is done, or stop it on the Train XTTS tab: it keeps its state and can "
    "be resumed."
)


class TrainingSupervisor(threading.Thread):
    """Starts the process when its devices are free and keeps them until it ends.

    It is a thread, since a stopped training may still write its state after its job has ended.
    `error` is what kept the process from starting, `exit_code` is that of the process.
    """

    def __init__(
        self, pool: ModelPool, devices: Iterable[str], run: TrainingRun, cancel: CancelToken
    ) -> None:
        super().__init__(name=f"training-{run.name}", daemon=True)
        self.error: BaseException | None = None
        self.exit_code: int | None = None
        self._pool = pool
        self._devices = tuple(dict.fromkeys(devices))
        self._holder = _("The training {name}", name=run.name)
        self._run = run
        self._cancel = cancel
        self._process: TrainingProcess | None = None

    def run(self) -> None:
        try:
            with ExitStack() as held:
                # Always in the same order: two trainings cannot each wait for the other.
                for device in self._devices:
                    self._take(device, held)
                self._process = TrainingProcess(self._run.files)
                try:
                    self.exit_code = self._process.wait()
                finally:
                    self._process.close()
        except BaseException as error:  # noqa: BLE001 - raised again by `train`
            self.error = error

    def _take(self, device: str, held: ExitStack) -> None:
        """Takes a device as soon as no other training has it: in one lane are those alone that have
        the same first device. Raises ModelBusyError for anything else that holds it."""
        waits = False
        while True:
            try:
                held.enter_context(
                    whole_device(self._pool, device, self._holder, _(_HINT), self._cancel)
                )
                return
            except ModelBusyError:
                # Who held it may have ended since: that is looked at twice.
                waited, waits = waits, self._is_trained_on(device)
                if not (waited or waits):
                    raise
            if self._cancel.wait(_FOLLOW_EVERY_S):
                raise JobCancelled

    def _is_trained_on(self, device: str) -> bool:
        trainings = {
            thread._holder
            for thread in threading.enumerate()
            if isinstance(thread, TrainingSupervisor)
        }
        return any(
            resident.device == device and not trainings.isdisjoint(resident.holders)
            for resident in self._pool.snapshot()
        )

    def kill(self) -> None:
        """Ends a process that does not stop when asked to."""
        if self._process is not None:
            self._process.kill()


def new_run(services: Services, request: TrainingRequest) -> TrainingRun:
    """Checks a request and keeps its rows and plan as a training run.

    Raises BadInputError for what the preflight stops, with its remedies, and as `preflight` does.
    """
    found = preflight(services, request)
    if found.stops:
        raise BadInputError(
            " ".join(check.message for check in found.stops),
            " ".join(check.hint for check in found.stops if check.hint),
        )
    run = services.training_runs.create(
        found.request.run,
        found.request.dataset,
        found.request.base_model,
        found.language,
        asdict(found.plan),
        [row_to_json(row) for row in (*found.train, *found.evaluation)],
    )
    # Fixed now, like the rows: another backend tomorrow would write the texts otherwise.
    form = found.text_form
    if form.vocabulary:
        atomic.write_json(run.files.vocabulary, form.vocabulary)
    if form.front_end is not None:
        atomic.write_json(run.files.text_form, form.front_end.record)
    return run


def start_training(services: Services, request: TrainingRequest) -> Job:
    """Queues a new training. Raises as `new_run`."""
    return _submit(services, new_run(services, request))


def reopen_run(
    services: Services,
    name: str,
    more_epochs: int = 0,
    options: Mapping[str, Any] | None = None,
) -> TrainingRun:
    """The run with its plan changed, ready to resume from its last state.

    `options` change the plan (a smaller batch after running out of memory). `more_epochs` are added
    to those of the plan, or to those that were done if it ended earlier. Raises NotFoundError,
    BadInputError while it runs and for options out of range.
    """
    run = services.training_runs.get(name)
    if _is_under_way(services, run):
        raise BadInputError(
            _("The training {name} is still {state}.", name=run.name, state=_(run.state)),
            _("Wait until it has ended, or stop it first."),
        )
    # Not when the process starts: a Stop that is pressed while it loads would be lost.
    _forget_stop_requests(run)
    changes = dict(options or {})
    if more_epochs:
        evals = [e for e in read_events(run.files.progress) if e["kind"] == training_events.EVAL]
        ended = run.state == training_events.DONE and evals
        done = evals[-1]["epoch"] if ended else run.plan["epochs"]
        changes["epochs"] = done + more_epochs
    plan = asdict(parse_options(TrainingPlan, {**run.plan, **changes}))
    if plan["optimizer"] != run.plan.get("optimizer", ADAMW):
        raise BadInputError(
            _("The training {name} keeps the moments of its optimizer.", name=run.name),
            _("Begin a new training to take another optimizer."),
            "optimizer",
        )
    training_devices(services, parse_options(TrainingPlan, plan))  # raises for what is not here
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
    if interrupted is None:
        return _submit(services, run)
    if interrupted.payload.get("device") not in (None, _payload(services, run)["device"]):
        services.jobs.dismiss(interrupted.id)  # it goes on in the lane of another device
        return _submit(services, run)
    return services.jobs.resume(interrupted.id)


def stop_training(services: Services, name: str) -> TrainingRun:
    """Asks a training to save its state and stop now; one that still waits is cancelled.

    Raises NotFoundError.
    """
    run = services.training_runs.get(name)
    if job := _job_of(services, run, (QUEUED,)):
        services.jobs.cancel(job.id)
    elif _is_under_way(services, run):
        run.files.stop.touch()
    return run


def stop_after_epoch(services: Services, name: str) -> TrainingRun:
    """Asks a training to stop at the end of its epoch. Raises NotFoundError."""
    run = services.training_runs.get(name)
    if _is_under_way(services, run):
        run.files.stop_after_epoch.touch()
    return run


def train(
    services: Services, payload: Mapping[str, Any], progress: Progress, cancel: CancelToken
) -> Mapping[str, Any]:
    """Trains the run `payload["run"]` from its last state and follows it to its end.

    Returns {"run", "outcome"}: "done", or "stopped" after `stop_training`. When `cancel` is set it
    raises JobCancelled within seconds, while the process may still be writing its state. Raises
    ModelBusyError, and StudioError for what ended the training early.
    """
    run = services.training_runs.get(payload["run"])
    progress(0.0, _("Waiting for the memory of the device"))
    setup = _setup_of(services, run)
    setup.write(run.files.setup)
    events = EventReader(run.files.progress)
    events.new()  # what earlier starts wrote
    devices = setup.devices or (setup.device,)
    supervisor = TrainingSupervisor(services.tts.pool, devices, run, cancel)
    supervisor.start()
    last = _follow(run, supervisor, events, progress, cancel)
    _forget_stop_requests(run)
    if supervisor.error is not None:
        raise supervisor.error
    if cancel.cancelled:
        raise JobCancelled
    if last.get("kind") != training_events.END:
        raise StudioError(
            _("The training {name} ended unexpectedly.", name=run.name),
            _("Resume it: it goes on from its last state."),
            details=f"Exit code {supervisor.exit_code}; train.log in its folder may say why.",
        )
    if last["outcome"] == training_events.FAILED:
        raise StudioError(last["text"], last["hint"])
    return {"run": run.name, "outcome": last["outcome"]}


def _follow(
    run: TrainingRun,
    supervisor: TrainingSupervisor,
    events: EventReader,
    progress: Progress,
    cancel: CancelToken,
) -> Event:
    """Reports the progress of the training until it ends; returns the last event, {} without one.

    Once cancelled it returns as soon as nothing is computed any more.
    """
    kill_at_s, epochs, total, last = math.inf, 0, 0, dict[str, Any]()
    while True:
        alive = supervisor.is_alive()
        for event in events.new():
            last = dict(event)
            if event["kind"] == training_events.START:
                epochs, total = event["epochs"], event["steps_total"]
            elif event["kind"] == training_events.STEP:
                progress(
                    event["step"] / max(total, 1),
                    _(
                        "Epoch {epoch} of {epochs}, step {step} of {total}, loss {loss:.3f}",
                        epoch=event["epoch"],
                        epochs=epochs,
                        step=event["step"],
                        total=total,
                        loss=event["loss"],
                    ),
                )
        saving = last.get("kind") == training_events.SAVING
        if not alive or (cancel.cancelled and saving):
            return last
        if cancel.cancelled and kill_at_s == math.inf:
            run.files.stop.touch()
            kill_at_s = time.monotonic() + _KILL_AFTER_S
        elif time.monotonic() > kill_at_s:
            supervisor.kill()
        supervisor.join(_FOLLOW_EVERY_S)


def _setup_of(services: Services, run: TrainingRun) -> TrainingSetup:
    """Where everything lies now. Raises NotFoundError, ModelMissingError, CorruptFileError."""
    base = verified_base(services, run.base_model)
    support = services.downloader.verify(TRAINING_FILES)
    plan = parse_options(TrainingPlan, run.plan)
    rows = sum(row.for_training for row in read_rows(run.files.rows))
    devices = training_devices(services, plan, rows)
    return TrainingSetup(
        plan=plan,
        language=run.language,
        device=devices[0],
        devices=devices if len(devices) > 1 else (),
        threads=services.settings.torch_threads,
        dataset_folder=services.datasets.get(run.dataset).folder,
        weights=base / WEIGHTS,
        config=base / CONFIG,
        vocabulary=run_vocabulary(run, base),
        dvae=support / "dvae.pth",
        mel_norms=support / "mel_stats.pth",
        front_end=run_front_end(run),
    )


def _submit(services: Services, run: TrainingRun) -> Job:
    return services.jobs.submit(TRAIN, _("Train {name}", name=run.name), _payload(services, run))


def _payload(services: Services, run: TrainingRun) -> Mapping[str, Any]:
    """The first device decides in which lane it waits; what it trains on is the plan's."""
    devices = training_devices(services, parse_options(TrainingPlan, run.plan))
    return {"run": run.name, "device": devices[0]}


def lane_of(payload: Mapping[str, Any]) -> str:
    """Trainings on one device wait for each other, those on others do not."""
    return f"{LANE}{JobRunner.WITHIN}{payload['device']}" if payload.get("device") else LANE


def _is_under_way(services: Services, run: TrainingRun) -> bool:
    """Whether it is queued, starting or running."""
    return run.state in ALIVE or _job_of(services, run, ACTIVE) is not None


def _forget_stop_requests(run: TrainingRun) -> None:
    for request in (run.files.stop, run.files.stop_after_epoch):
        request.unlink(missing_ok=True)


def _job_of(services: Services, run: TrainingRun, states: tuple[str, ...]) -> Job | None:
    jobs = services.jobs.list(states=states, kind=TRAIN)
    return next((job for job in jobs if job.payload.get("run") == run.name), None)


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_train(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        return train(services, payload, job.progress, job.cancel)

    services.jobs.register(TRAIN, run_train, lane=lane_of)
