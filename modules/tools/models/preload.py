"""Models brought into memory while the studio opens."""

from __future__ import annotations

import logging

from modules.core_components.errors import StudioError
from modules.core_components.jobs import Job
from modules.tools.jobs import submit_load
from modules.tools.services import Services
from modules.tools.speaking.fallback import choose_speaking_model

logger = logging.getLogger(__name__)


def preload(services: Services) -> tuple[Job, ...]:
    """Queues loading the speaking model, if the settings ask for it, and those set to come first.

    Nothing waits for them. The Models tab shows how far they are; one that fails stops neither the
    others nor the start: the tab says why, and so does the log.
    """
    settings = services.settings
    wanted = [choose_speaking_model(services).model_id] if settings.preload_model else []
    wanted += [model_id for model_id, own in settings.model_settings.items() if own.preload]
    queued = []
    for model_id in dict.fromkeys(wanted):
        try:
            queued.append(submit_load(services, model_id))
        except StudioError as error:  # a model that was deleted since
            logger.warning("%s is not loaded at the start: %s", model_id, error.message)
    return tuple(queued)
