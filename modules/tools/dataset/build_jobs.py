"""Building a dataset as a job: with progress and an estimate, cancelled, resumed after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from modules.core_components.jobs import Job, JobContext
from modules.tools.dataset.build import DatasetRequest, build_dataset
from modules.tools.listening.inbox import keep_upload
from modules.tools.services import Services

BUILD_DATASET = "build_dataset"


def register(services: Services) -> None:
    """Tells the runner how to build a dataset."""

    def do_build(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        lists = {name: tuple(payload[name]) for name in ("inputs", "names")}
        request = DatasetRequest(**{**payload, **lists})
        summary = build_dataset(services, request, job.progress, job.cancel)
        for refused in summary.refused:
            job.log(f"{refused.name}: {refused.message} {refused.hint}".strip())
        return {**asdict(summary), **asdict(summary.contents)}

    services.jobs.register(BUILD_DATASET, do_build)


def submit_build(services: Services, request: DatasetRequest, uploaded: bool = False) -> Job:
    """Queues a building; `uploaded` inputs are copied first, since a browser's files vanish.

    Raises NotFoundError for an unknown dataset, BadInputError for an upload that is gone.
    """
    dataset = services.datasets.get(request.dataset)
    if uploaded:
        paths = [Path(path) for path in request.inputs]
        request = replace(
            request,
            inputs=tuple(str(keep_upload(services, path)) for path in paths),
            names=request.names or tuple(path.name for path in paths),
        )
    title = f"Add {len(request.inputs)} to {dataset.name}"
    return services.jobs.submit(BUILD_DATASET, title, asdict(request))
