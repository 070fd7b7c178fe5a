"""The benchmark as a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.jobs import Job, JobContext
from modules.tools.models.benchmark import BenchmarkRequest, run_benchmark
from modules.tools.services import Services

BENCHMARK = "benchmark"


def register(services: Services) -> None:
    """Tells the runner how to do it."""

    def do_benchmark(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        found = run_benchmark(services, BenchmarkRequest(), job.progress, job.cancel)
        return {"created": found.created}

    services.jobs.register(BENCHMARK, do_benchmark)


def submit_benchmark(services: Services) -> Job:
    """Queues the measuring of every installed model."""
    return services.jobs.submit(BENCHMARK, "Measure the installed models", {})
