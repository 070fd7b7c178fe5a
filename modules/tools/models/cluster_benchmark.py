"""A benchmark on a machine of a cluster: the figures of what a worker has, not of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from modules.core_components.atomic import write_json
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _, ngettext
from modules.tools.models.benchmark import (
    Benchmark,
    BenchmarkRequest,
    models_to_measure,
    read_benchmark,
    run_benchmark,
)
from modules.tools.services import Services
from modules.tools.work.executor import (
    LOCAL,
    Executor,
    Inputs,
    Setup,
    Work,
    Worker,
    WorkItem,
    own_folder,
)
from modules.tools.work.places import THIS_MACHINE

_OPENER = f"{__name__}:open_measurer"


def require_other_machine(address: str) -> None:
    """Raises BadInputError for a place where workers have nothing but this machine."""
    if address.strip() in (LOCAL, THIS_MACHINE):
        raise BadInputError(
            _("Workers of this machine have only what it has."),
            _("Measure it without --cluster, or name a cluster by HOST:PORT."),
        )


def benchmark_elsewhere(
    services: Services,
    executor: Executor,
    request: BenchmarkRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Benchmark:
    """Has one worker measure the models, one after the other, as `run_benchmark` does here.

    All by the same worker, since the figures of one benchmark are those of one machine. They are
    not kept: what is recommended on this machine follows from its own. Raises as `run_benchmark`
    and `Executor.run`.
    """
    speakers, listeners = models_to_measure(services, request.models)
    models = tuple(dict.fromkeys((*speakers, *listeners)))
    named = replace(request, models=request.models and models)
    title = ngettext("Measure {count} models", "Measure {count} models", len(models))
    with own_folder(services.settings.cache_folder.absolute() / "work", "bench-") as folder:
        item = WorkItem(_("Benchmark"), {}, folder / "benchmark.json")
        outcome = executor.run(
            Work(_OPENER, asdict(named), (item,), models, title), progress, cancel
        )
        for failure in outcome.failures:
            raise StudioError(failure.message, failure.hint)
        return read_benchmark(json.loads(item.result.read_text(encoding="utf-8")))


def open_measurer(services: Services, setup: Setup) -> Worker:
    """The worker that runs a whole benchmark."""
    about: Mapping[str, object] = {**setup, "models": tuple(setup["models"])}
    request = BenchmarkRequest(**about)  # type: ignore[arg-type]

    def measure(inputs: Inputs, result: Path, progress: Progress, cancel: CancelToken) -> None:
        found = run_benchmark(services, request, progress, cancel, is_kept=False)
        write_json(result, asdict(found))

    return measure
