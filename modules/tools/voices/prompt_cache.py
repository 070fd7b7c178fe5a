"""The cache of prepared voices: how much of it each model has, and clearing it."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.errors import StudioError
from modules.core_components.texts import _, mark
from modules.tools.models.ready_models import model_label
from modules.tools.services import Services

DAMAGED = mark("damaged files")


@dataclass(frozen=True)
class PreparedVoices:
    """What one revision of a model has on the disk.

    Those of a revision that is not `current` are never used; they go when there is no more room.
    Files that are damaged have the empty model id.
    """

    model_id: str
    label: str
    revision: str
    current: bool
    count: int
    nbytes: int


def prepared_voices(services: Services) -> tuple[PreparedVoices, ...]:
    """What lies in the cache, by model and revision."""
    return tuple(
        PreparedVoices(
            item.model_id,
            model_label(services.tts, item.model_id) if item.model_id else _(DAMAGED),
            item.model_revision,
            _is_current(services, item.model_id, item.model_revision),
            item.count,
            item.nbytes,
        )
        for item in services.tts.prompts.usage()
    )


def clear_prepared_voices(services: Services, model_id: str | None = None) -> int:
    """Deletes prepared voices, those of one model or all; returns the bytes that became free.

    Each is made anew when it is next spoken with.
    """
    return services.tts.prompts.clear(model_id)


def _is_current(services: Services, model_id: str, revision: str) -> bool:
    try:
        return services.tts.get(model_id).model_revision == revision
    except StudioError:
        return False
