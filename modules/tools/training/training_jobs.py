"""Training as a job: it waits in a lane of its own, and is offered again after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.jobs import JobContext
from modules.tools.services import Services
from modules.tools.training.training import TRAIN, train


def register(services: Services) -> None:
    """Tells the runner how to train, also a run left over from another start of the studio."""

    def do_train(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        return train(services, payload, job.progress, job.cancel)

    services.jobs.register(TRAIN, do_train, lane="training")
