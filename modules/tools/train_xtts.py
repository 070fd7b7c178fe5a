"""Fine-tuning XTTS on a dataset: start, stop, go on. The work is done in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modules.core_components.jobs import Job
from modules.core_components.library.training_runs import TrainingRun
from modules.tools.services import Services

TRAIN = "train_xtts"


@dataclass(frozen=True)
class TrainingRequest:
    """A training as a user asks for it: `run` is its name, `dataset` that of a dataset,
    `base_model` the id of an XTTS model, `options` are fields of `TrainingPlan` (those not given
    have its defaults)."""

    run: str
    dataset: str
    base_model: str = "xtts-v2.0.3"
    options: Mapping[str, Any] = field(default_factory=dict)


def start_training(services: Services, request: TrainingRequest) -> Job:
    """Keeps the training's rows and plan and queues it.

    Raises BadInputError for a name that is taken, options out of range and rows that cannot be
    trained on, NotFoundError for an unknown dataset or model, ModelMissingError.
    """
    raise NotImplementedError


def resume_training(
    services: Services,
    name: str,
    more_epochs: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Job:
    """Queues a training that stopped, failed or is done, from its last state.

    `options` change its plan (a smaller batch after running out of memory), `more_epochs` are
    added to its epochs. Raises NotFoundError, BadInputError while it runs.
    """
    raise NotImplementedError


def stop_training(services: Services, name: str) -> TrainingRun:
    """Asks a training to keep its state and stop at once. Raises NotFoundError."""
    run = services.training_runs.get(name)
    run.files.stop.touch()
    return run


def stop_after_epoch(services: Services, name: str) -> TrainingRun:
    """Asks a training to stop when it has heard every clip once more. Raises NotFoundError."""
    run = services.training_runs.get(name)
    run.files.stop_after_epoch.touch()
    return run
