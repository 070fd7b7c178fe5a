"""The speaking model, brought into memory while the studio opens."""

from __future__ import annotations

import logging
import threading

from modules.core_components.errors import StudioError
from modules.tools.fallback import choose_speaking_model
from modules.tools.services import Services

logger = logging.getLogger(__name__)


def preload(services: Services) -> threading.Thread | None:
    """Loads the default speaking model in a thread, if the settings ask for it.

    Nothing waits for it; what goes wrong is logged, and told to whoever speaks first.
    """
    if not services.settings.preload_model:
        return None
    thread = threading.Thread(target=_load, args=(services,), name="preload", daemon=True)
    thread.start()
    return thread


def _load(services: Services) -> None:
    model_id = choose_speaking_model(services).model_id
    try:
        services.tts.get(model_id).load()
    except StudioError as error:
        logger.warning("%s was not preloaded: %s", model_id, error.message)
