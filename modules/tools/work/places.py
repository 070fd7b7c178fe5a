"""Where heavy work runs: what the settings or a command chose."""

from __future__ import annotations

from modules.core_components.settings import HEAVY_CLUSTER, HEAVY_WORKERS
from modules.tools.services import Services
from modules.tools.work.executor import LOCAL, Executor, LocalExecutor
from modules.tools.work.ray_executor import RayExecutor

THIS_MACHINE = "none"


def choose_executor(services: Services, address: str = "") -> Executor:
    """The executor at `address`: HOST:PORT of a cluster, "local" for workers on this machine,
    "none" for this process, "" for what the settings say.

    Raises StudioError, which says how to get Ray, where it is needed and not installed.
    """
    wanted = address.strip() or configured_address(services)
    if wanted == THIS_MACHINE:
        return LocalExecutor(services)
    return RayExecutor(services, wanted, services.settings.heavy_work_workers)


def configured_address(services: Services) -> str:
    """The `address` of the settings, as `choose_executor` takes it."""
    settings = services.settings
    if settings.heavy_work == HEAVY_CLUSTER:
        return settings.cluster_address
    return LOCAL if settings.heavy_work == HEAVY_WORKERS else THIS_MACHINE
