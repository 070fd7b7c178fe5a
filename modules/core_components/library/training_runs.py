"""Training runs: a folder each, with everything needed to resume or to evaluate it."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.errors import BadInputError, CorruptFileError, NotFoundError
from modules.core_components.library import training_events
from modules.core_components.library.names import safe_stem, same_name_key
from modules.core_components.library.training_events import (
    CHECKPOINT,
    END,
    Event,
    last_event,
    read_events,
)
from modules.core_components.library.trash import Trash, name_in
from modules.core_components.texts import _, mark

logger = logging.getLogger(__name__)

NEW, RUNNING, SAVING, INTERRUPTED = "new", "running", "saving", "interrupted"
ALIVE = (RUNNING, SAVING)


@dataclass(frozen=True)
class RunFiles:
    """What lies in the folder of a run, besides `run.json`."""

    folder: Path

    @property
    def progress(self) -> Path:
        """The event log, see `training_events`."""
        return self.folder / "progress.jsonl"

    @property
    def log(self) -> Path:
        """All that the process and its libraries said."""
        return self.folder / "train.log"

    @property
    def state(self) -> Path:
        """Where to go on from: model, optimizer, place in the epoch."""
        return self.folder / "state.pt"

    @property
    def checkpoints(self) -> Path:
        """`<step>.pth`: the kept weights."""
        return self.folder / "checkpoints"

    @property
    def rows(self) -> Path:
        """The rows it is trained on, fixed when it began: a dataset may be edited meanwhile."""
        return self.folder / "rows.json"

    @property
    def text_form(self) -> Path:
        """The record of the front end that reads the texts, where it is not the engine's own."""
        return self.folder / "text_form.json"

    @property
    def vocabulary(self) -> Path:
        """A vocabulary of the run's own, where the base's does not have the language."""
        return self.folder / "vocab.json"

    @property
    def setup(self) -> Path:
        """Where everything lies on this machine, written anew at each start."""
        return self.folder / "setup.json"

    @property
    def lock(self) -> Path:
        """Held by the process that trains; the system frees it when that dies."""
        return self.folder / "training.lock"

    @property
    def state_lock(self) -> Path:
        """Held by the one of several processes that writes the state."""
        return self.folder / "state.lock"

    @property
    def stop(self) -> Path:
        """Its presence asks the process to stop at once."""
        return self.folder / "stop"

    @property
    def stop_after_epoch(self) -> Path:
        """Its presence asks the process to stop at the end of the epoch."""
        return self.folder / "stop_after_epoch"

    @property
    def tensorboard(self) -> Path:
        return self.folder / "tensorboard"


@dataclass(frozen=True)
class TrainingRun:
    """One training. `plan` are the options of `TrainingPlan`, `state` how it stands now: "new",
    "running", "saving" (stopped, but its state is still being written), "stopped", "done",
    "failed", or "interrupted" where its process died."""

    name: str
    folder: Path
    dataset: str
    base_model: str
    language: str
    plan: Mapping[str, Any]
    state: str
    created: str

    @property
    def files(self) -> RunFiles:
        return RunFiles(self.folder)


@dataclass(frozen=True)
class KeptCheckpoint:
    """The weights after a step, in the trainer's layout, with their evaluation loss."""

    step: int
    epoch: int
    eval_loss: float
    path: Path


class TrainingRunLibrary:
    """The runs in a folder; deleted ones lie in `.trash`. Names are looked up in the listing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trash = Trash(folder, mark("training"))
        self._lock = threading.RLock()

    def list(self) -> tuple[TrainingRun, ...]:
        """The runs, the last one begun first. One whose `run.json` is damaged is left out."""
        runs = []
        for path in self.folder.glob("[!.]*/run.json"):
            try:
                runs.append(_read(path))
            except CorruptFileError as error:
                logger.warning("%s", error)
        return tuple(sorted(runs, key=lambda run: run.created, reverse=True))

    def get(self, name: str) -> TrainingRun:
        """Raises NotFoundError."""
        for run in self.list():
            if same_name_key(run.name) == same_name_key(name):
                return run
        raise NotFoundError(
            _("There is no training named {name!r}.", name=name), _("Start one from a dataset.")
        )

    def create(
        self,
        name: str,
        dataset: str,
        base_model: str,
        language: str,
        plan: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
    ) -> TrainingRun:
        """A new run; `rows` are kept as they are now (see `engines/xtts/training/xtts_trainee.py`).

        Raises BadInputError for a name that is taken, DiskFullError.
        """
        folder = self.folder / safe_stem(name, "training")
        with self._lock:
            if any(
                same_name_key(run.folder.name) == same_name_key(folder.name) for run in self.list()
            ):
                raise BadInputError(
                    _("There already is a training named {name!r}.", name=folder.name),
                    _("Choose another name, resume that one, or delete it."),
                    "run",
                )
            folder.mkdir(parents=True, exist_ok=True)
            run = TrainingRun(
                name=folder.name,
                folder=folder,
                dataset=dataset,
                base_model=base_model,
                language=language,
                plan=dict(plan),
                state=NEW,
                created=datetime.now(timezone.utc).isoformat(timespec="microseconds"),
            )
            atomic.write_json(run.files.rows, {"rows": list(rows)})
            _write(run)
        return run

    def change_plan(self, name: str, changes: Mapping[str, Any]) -> TrainingRun:
        """The run with other options from its next start on.

        Raises NotFoundError, DiskFullError.
        """
        with self._lock:
            run = self.get(name)
            run = dataclasses.replace(run, plan={**run.plan, **changes})
            _write(run)
        return run

    def checkpoints(self, name: str) -> tuple[KeptCheckpoint, ...]:
        """The kept checkpoints, the lowest evaluation loss first. Raises NotFoundError."""
        run = self.get(name)
        return kept_checkpoints(run.folder, read_events(run.files.progress))

    def delete(self, name: str) -> str:
        """Moves a run to the trash; returns the id for `restore`.

        Raises NotFoundError, BadInputError while it runs.
        """
        with self._lock:
            run = self.get(name)
            if run.state in ALIVE:
                raise BadInputError(
                    _("The training {name!r} is running.", name=run.name), _("Stop it first.")
                )
            return self.trash.add_folder(run.folder)

    def restore(self, trash_id: str) -> TrainingRun:
        """Undoes `delete`. Raises NotFoundError, BadInputError if its name was given away."""
        with self._lock:
            place = self.trash.place_of(trash_id)
            folder = self.folder / name_in(trash_id)
            if folder.exists():
                raise BadInputError(
                    _("There is another training named {name!r} now.", name=folder.name),
                    _("Delete that first."),
                )
            place.rename(folder)
        return _read(folder / "run.json")


def kept_checkpoints(folder: Path, events: Sequence[Event]) -> tuple[KeptCheckpoint, ...]:
    """Those of a run's checkpoints that are still on the disk, the lowest evaluation loss first."""
    found = {
        str(event["file"]): KeptCheckpoint(
            event["step"], event["epoch"], event["eval_loss"], folder / event["file"]
        )
        for event in events
        if event["kind"] == CHECKPOINT and "eval_loss" in event
    }
    there = (checkpoint for checkpoint in found.values() if checkpoint.path.is_file())
    return tuple(sorted(there, key=lambda checkpoint: (checkpoint.eval_loss, checkpoint.step)))


def is_running(lock_file: Path) -> bool:
    """Whether a living process trains here, whichever process asks."""
    from filelock import FileLock, Timeout

    if not lock_file.exists():
        return False
    lock = FileLock(lock_file)
    try:
        # Who looks holds it for a moment as well; a training holds it for longer.
        lock.acquire(timeout=0.05, poll_interval=0.01)
    except Timeout:
        return True
    lock.release()
    return False


def _read(path: Path) -> TrainingRun:
    folder = path.parent
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        run = TrainingRun(
            name=folder.name,
            folder=folder,
            dataset=record["dataset"],
            base_model=record["base_model"],
            language=record["language"],
            plan=dict(record["plan"]),
            state=NEW,
            created=record["created"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            _("The training in {folder} cannot be read.", folder=folder),
            _("Restore it, or delete that folder."),
            details=f"run.json: {error!r}",
        ) from error
    return dataclasses.replace(run, state=_state(run))


def _state(run: TrainingRun) -> str:
    last = last_event(run.files.progress)
    if is_running(run.files.lock):
        return SAVING if last is not None and last["kind"] == training_events.SAVING else RUNNING
    if last is None:
        return NEW
    return str(last.get("outcome", INTERRUPTED)) if last["kind"] == END else INTERRUPTED


def _write(run: TrainingRun) -> None:
    record = {
        "dataset": run.dataset,
        "base_model": run.base_model,
        "language": run.language,
        "plan": dict(run.plan),
        "created": run.created,
    }
    atomic.write_json(run.folder / "run.json", record)
