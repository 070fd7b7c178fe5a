"""What loading a model needs, and how single models are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import PooledEngine
from modules.core_components.ai_models.model_pool import LoadPlan, Way
from modules.core_components.ai_models.model_pool.budgets import memory_in_use, total_memory_bytes
from modules.core_components.errors import StudioError
from modules.core_components.progress import Progress
from modules.core_components.settings import (
    ATTENTIONS,
    PRECISIONS,
    ModelSettings,
    parse_model_settings,
)
from modules.core_components.texts import _
from modules.core_components.units import memory_text
from modules.tools.services import Services


def manager_of(services: Services, model_id: str) -> BaseManager:
    """The manager of a model; the TTS manager also has those of other tasks."""
    listens = model_id in services.asr.engine_ids()
    return services.asr if listens else services.tts


def pooled_engine(services: Services, model_id: str) -> PooledEngine | None:
    """The engine of a model; None for one whose weights are not in the pool.

    Raises NotFoundError, and EngineMissingError for a model that cannot be used here.
    """
    engine = manager_of(services, model_id).context.engine(model_id)
    return engine if isinstance(engine, PooledEngine) else None


def load_plan(services: Services, model_id: str) -> LoadPlan | None:
    """What loading a model would do now; None for one whose weights are not in the pool.

    Raises as `pooled_engine`, and StudioError if its device is not there.
    """
    engine = pooled_engine(services, model_id)
    pool = manager_of(services, model_id).pool
    return None if engine is None else pool.plan(engine.model_spec())


def memory_needed(services: Services, entry: ModelEntry) -> int:
    """The bytes of memory that a model takes: as measured when it was loaded, else as planned, else
    as the catalog says. The one figure that every view shows."""
    try:
        plan = load_plan(services, entry.id)
    except StudioError:  # no engine, or its device is not there
        plan = None
    return plan.nbytes if plan is not None else entry.memory_mb * 1_000_000


def smaller_sizes(services: Services, model_id: str) -> tuple[str, ...]:
    """The sizes of a model that would fit on its device. Raises as `load_plan`."""
    engine = pooled_engine(services, model_id)
    return () if engine is None else tuple(engine.model_spec().instead())


def memory_in_words(services: Services) -> dict[str, str]:
    """What the studio and its models hold of the machine's memory, and what is free."""
    import psutil

    residents = services.tts.pool.snapshot()
    devices = sorted({resident.device for resident in residents} - {"cpu"})
    return {
        _("Studio"): memory_text(memory_in_use("cpu")),
        _("Models in it"): memory_text(sum(one.nbytes for one in residents if one.device == "cpu")),
        _("Free"): memory_text(psutil.virtual_memory().available),
        _("Machine"): memory_text(total_memory_bytes()),
        **{
            _("Models on {device}", device=device): memory_text(memory_in_use(device))
            for device in devices
        },
    }


def free_memory_in_words() -> str:
    """How much of the machine's memory is free, such as "12 of 16 GiB of memory free"."""
    import psutil

    memory = psutil.virtual_memory()
    return _(
        "{free} of {total} of memory free",
        free=memory_text(memory.available),
        total=memory_text(memory.total),
    )


def report_load(manager: BaseManager, engine: object, progress: Progress) -> None:
    """Reports what will leave memory for a model that is not loaded yet.

    An error that keeps it from being loaded is left to the load itself.
    """
    if not isinstance(engine, PooledEngine):
        return
    try:
        plan = manager.pool.plan(engine.model_spec())
    except StudioError:
        return
    if plan.way is not Way.HERE:
        progress(0.0, plan.in_words())


_NAME = "model_settings"
# A change of these changes the weights in memory.
_SHAPES_WEIGHTS = ("device", "precision", "attention_mechanism")


@dataclass(frozen=True)
class ModelChoices:
    """What is chosen for a model, and what may be: no choices where its engine has none."""

    chosen: ModelSettings
    precisions: tuple[str, ...]
    attentions: tuple[str, ...]


def model_choices(services: Services, model_id: str) -> ModelChoices | None:
    """None for a model that is not loaded by the studio. Raises as `pooled_engine`."""
    engine = pooled_engine(services, model_id)
    if engine is None:
        return None
    return ModelChoices(
        services.settings.of_model(model_id),
        PRECISIONS if "precision" in engine.configurable else (),
        ATTENTIONS if "attention_mechanism" in engine.configurable else (),
    )


def configure_model(services: Services, model_id: str, changes: Mapping[str, Any]) -> ModelSettings:
    """Saves the `changes` of one model's settings; the others stay as they are.

    A model in memory that has to be loaded differently is unloaded, now or when it is free.
    Raises NotFoundError for an unknown model, BadInputError for a value that cannot be chosen, and
    StudioError for a device that is not there; then nothing is changed.
    """
    manager = manager_of(services, model_id)
    manager.entry(model_id)
    before = services.settings.of_model(model_id)
    if not changes:
        return before
    given = {**dict(before), **changes}
    after = parse_model_settings({model_id: given})[model_id]
    own = {**services.settings.model_settings, model_id: after}
    kept = {name: settings.chosen() for name, settings in own.items() if settings.chosen()}
    services.change_settings({_NAME: kept})
    if any(getattr(before, name) != getattr(after, name) for name in _SHAPES_WEIGHTS):
        manager.unload(model_id)
    return after
