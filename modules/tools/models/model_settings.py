"""How single models are loaded: what a user may choose for each, and keeping that."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.core_components.model_settings import (
    ATTENTIONS,
    PRECISIONS,
    ModelSettings,
    parse_model_settings,
)
from modules.tools.models.load_plans import manager_of, pooled_engine
from modules.tools.services import Services

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
    given = {**dataclasses.asdict(before), **changes}
    after = parse_model_settings({model_id: given})[model_id]
    own = {**services.settings.model_settings, model_id: after}
    kept = {name: settings.chosen() for name, settings in own.items() if settings.chosen()}
    services.change_settings({_NAME: kept})
    if any(getattr(before, name) != getattr(after, name) for name in _SHAPES_WEIGHTS):
        manager.unload(model_id)
    return after
