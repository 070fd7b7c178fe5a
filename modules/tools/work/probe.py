"""What the place for heavy work is, and whether work really gets done there."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from modules.core_components.atomic import write_bytes
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _
from modules.tools.services import Services, ray_is_installed
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
from modules.tools.work.places import THIS_MACHINE, configured_address
from modules.tools.work.ray_executor import RayExecutor
from modules.tools.work.under_way import Node, UnderWay, under_way

_OPENER = f"{__name__}:open_probe"
_ITEMS = 12
# Long enough for every worker to get one.
_ITEM_S = 0.2


@dataclass(frozen=True)
class Place:
    """Where heavy work runs; `ray` is "" where it is not installed, `nodes` those of a cluster,
    `under_way` the work that runs on Ray now, there or elsewhere."""

    where: str
    ray: str
    python: str
    workers: int
    nodes: tuple[Node, ...] = ()
    under_way: tuple[UnderWay, ...] = ()


@dataclass(frozen=True)
class ProbeResult:
    """How long the test took (with starting the workers), and how many items each machine did."""

    where: str
    seconds: float
    items: int
    by_machine: Mapping[str, int]


def describe_place(
    services: Services, address: str = "", cancel: CancelToken | None = None
) -> Place:
    """The place for heavy work, as `choose_executor` takes its address.

    A cluster is asked for its machines. Raises StudioError if it does not answer, or has another
    version of Ray or Python.
    """
    wanted = address.strip() or configured_address(services)
    ray = metadata.version("ray") if ray_is_installed() else ""
    workers = services.settings.heavy_work_workers
    here = {THIS_MACHINE: _("this machine"), LOCAL: _("several workers on this machine")}
    now = under_way(services)
    if wanted in here:
        return Place(here[wanted], ray, platform.python_version(), workers, under_way=now)
    executor = RayExecutor(services, wanted, workers)
    nodes = executor.state(cancel).nodes
    return Place(executor.label, ray, platform.python_version(), workers, nodes, now)


def probe(
    services: Services,
    executor: Executor,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ProbeResult:
    """Has a few items done that only say where they were done.

    That their results arrive shows that the machines share the folder of the studio. Raises as
    `Executor.run`.
    """
    started = time.monotonic()
    with own_folder(services.settings.cache_folder.absolute() / "work", "test-") as folder:
        items = tuple(
            WorkItem(_("Test {n}", n=n + 1), {}, folder / f"{n}.txt") for n in range(_ITEMS)
        )
        setup = {"seconds": _ITEM_S if executor.has_several_workers else 0.0}
        work = Work(_OPENER, setup, items, title=_("Test the workers"))
        outcome = executor.run(work, progress, cancel)
        done = [item.result.read_text(encoding="utf-8") for item in outcome.done]
    seconds = round(time.monotonic() - started, 1)
    return ProbeResult(executor.label, seconds, len(done), dict(Counter(done)))


def open_probe(services: Services, setup: Setup) -> Worker:
    """A worker that writes the name of its machine, after so many seconds."""

    def say_where(inputs: Inputs, result: Path, progress: Progress, cancel: CancelToken) -> None:
        cancel.wait(setup["seconds"])
        cancel.raise_if_cancelled()
        write_bytes(result, platform.node().encode("utf-8"))

    return say_where
