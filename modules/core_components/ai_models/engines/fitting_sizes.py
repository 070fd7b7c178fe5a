"""Which other sizes of a model would fit where it does not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import PooledEngine
from modules.core_components.ai_models.model_pool import gib
from modules.core_components.errors import StudioError

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.context import EngineContext

logger = logging.getLogger(__name__)

# What one size must be able to do to stand in for another.
_ESSENTIAL = frozenset({"clone", "voice-match", "stock-voices", "voice-design"})
_MOST = 3


def fitting_sizes(context: EngineContext, entry: ModelEntry) -> tuple[str, ...]:
    """The models of the same family that do the same and fit on their devices, largest first."""
    found = []
    for other in context.catalog.entries(entry.task):
        if not _stands_in(other, entry):
            continue
        try:
            engine = context.engine(other.id)
            if not isinstance(engine, PooledEngine):
                continue
            plan = context.pool.plan(engine.model_spec())
        except StudioError as error:  # a package or its kind of GPU is missing
            logger.info("%s is no way out: %s", other.id, error.message)
            continue
        if plan.fits:
            found.append((plan.nbytes, f"{other.label} ({gib(plan.nbytes)})"))
    return tuple(words for _, words in sorted(found, reverse=True)[:_MOST])


def _stands_in(other: ModelEntry, entry: ModelEntry) -> bool:
    same = other.family == entry.family and other.id != entry.id
    does = _ESSENTIAL & set(other.abilities) == _ESSENTIAL & set(entry.abilities)
    return same and does and set(entry.languages) <= set(other.languages)
