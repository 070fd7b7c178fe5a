"""Looking at a dataset as a job: it may listen to every clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.jobs import Job, JobContext
from modules.tools.dataset.report import report_of
from modules.tools.services import Services

REPORT_DATASET = "report_dataset"


def register(services: Services) -> None:
    """Tells the runner how to do it."""

    def do_report(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        report = report_of(
            services,
            payload["dataset"],
            job.progress,
            job.cancel,
            payload["second_listener"],
        )
        return {"dataset": report.name, "findings": len(report.findings)}

    services.jobs.register(REPORT_DATASET, do_report)


def submit_report(services: Services, dataset_name: str, second_listener: str = "") -> Job:
    """Queues a report; a second wish for the same one joins the first. Raises NotFoundError."""
    name = services.datasets.get(dataset_name).name
    payload = {"dataset": name, "second_listener": second_listener}
    for job in services.jobs.list(states=("queued", "running"), kind=REPORT_DATASET):
        if job.payload == payload:
            return job
    return services.jobs.submit(REPORT_DATASET, f"Look at {name}", payload)
