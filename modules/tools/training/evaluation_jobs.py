"""Judging and publishing as jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.jobs import Job, JobContext
from modules.tools.services import Services
from modules.tools.training.evaluation import judge_run
from modules.tools.training.publish import publish

JUDGE, PUBLISH = "judge_run", "publish_model"


def register(services: Services) -> None:
    """Tells the runner how to do them."""

    def do_judge(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        found = judge_run(services, payload["run"], job.progress, job.cancel)
        return {"run": found.run, "proposed": found.proposed}

    def do_publish(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        model = publish(
            services,
            payload["run"],
            payload["checkpoint"],
            payload["name"],
            job.progress,
            job.cancel,
        )
        return {"run": payload["run"], "model": model.name}

    services.jobs.register(JUDGE, do_judge)
    services.jobs.register(PUBLISH, do_publish)


def submit_judging(services: Services, run: str) -> Job:
    """Queues the judging of a run. Raises NotFoundError."""
    name = services.training_runs.get(run).name
    return services.jobs.submit(JUDGE, f"Judge {name}", {"run": name})


def submit_publishing(services: Services, run: str, checkpoint: str, name: str) -> Job:
    """Queues the publishing of a checkpoint as a model. Raises NotFoundError."""
    found = services.training_runs.get(run).name
    payload = {"run": found, "checkpoint": checkpoint, "name": name}
    return services.jobs.submit(PUBLISH, f"Publish {name}", payload)
