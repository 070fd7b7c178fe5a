"""What bringing a model into memory would do there, said before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.engines.base import PooledEngine
from modules.core_components.ai_models.model_pool import LoadPlan, Way
from modules.core_components.errors import StudioError
from modules.core_components.progress import Progress
from modules.core_components.settings import (
    ATTENTIONS,
    PRECISIONS,
    ModelSettings,
    parse_model_settings,
)
from modules.tools.services import Services


def manager_of(services: Services, model_id: str) -> BaseManager:
    """The manager of a model; what neither speaks nor listens is with those that speak."""
    listens = model_id in services.asr.engine_ids()
    return services.asr if listens else services.tts


def pooled_engine(services: Services, model_id: str) -> PooledEngine | None:
    """The engine of a model; None for one that keeps its weights elsewhere.

    Raises NotFoundError, and EngineMissingError for a model that cannot be used here.
    """
    engine = manager_of(services, model_id).context.engine(model_id)
    return engine if isinstance(engine, PooledEngine) else None


def load_plan(services: Services, model_id: str) -> LoadPlan | None:
    """What loading a model would do now; None for an engine that keeps its weights elsewhere.

    Raises as `pooled_engine`, and StudioError where its device is not here.
    """
    engine = pooled_engine(services, model_id)
    pool = manager_of(services, model_id).pool
    return None if engine is None else pool.plan(engine.model_spec())


def smaller_sizes(services: Services, model_id: str) -> tuple[str, ...]:
    """The sizes of a model that would fit where it does not. Raises as `load_plan`."""
    engine = pooled_engine(services, model_id)
    return () if engine is None else tuple(engine.model_spec().instead())


def tell_load(services: Services, model_id: str, progress: Progress) -> None:
    """Says by `progress` what will leave memory for a model that is not there yet.

    What keeps the model from being loaded is for the load itself to say.
    """
    try:
        plan = load_plan(services, model_id)
    except StudioError:
        return
    if plan is not None and plan.way is not Way.HERE:
        progress(0.0, plan.in_words())


# How single models are loaded: what a user may choose for each, and keeping that.


_NAME = "model_settings"
# What a change of it does to weights that are in memory: they are other ones.
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
    """Keeps what `changes` names for one model; the rest stays as it was.

    A model in memory that is to be loaded otherwise leaves it, now or when its user is done.
    Raises NotFoundError for an unknown model, BadInputError for what cannot be chosen, and
    StudioError for a device that is not here; then nothing is changed.
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
