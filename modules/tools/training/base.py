"""What a training begins with: an XTTS of the catalog, or a fine-tuned one."""

from __future__ import annotations

from pathlib import Path

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.xtts.tuned import check_tuned
from modules.tools.services import Services


def base_entry(services: Services, model_id: str) -> ModelEntry:
    """Its entry, as the catalog describes it. Raises NotFoundError."""
    return services.tts.entry(model_id)


def base_folder(services: Services, model_id: str) -> Path:
    """Where its files lie, or would. Raises NotFoundError."""
    return services.catalog.folder(base_entry(services, model_id))


def is_installed(services: Services, model_id: str) -> bool:
    """Whether all its files are there; a fine-tuned model is listed only while they are."""
    if services.tts.tuned_model(model_id) is not None:
        return True
    return services.catalog.state(services.catalog.entry(model_id)) == "installed"


def verified_base(services: Services, model_id: str) -> Path:
    """The folder of a base whose files are whole: by the catalog's hashes, or those on the card of
    a fine-tuned model. Raises NotFoundError, ModelMissingError, CorruptFileError."""
    if services.tts.tuned_model(model_id) is None:
        return services.downloader.verify(model_id)
    folder = base_folder(services, model_id)
    check_tuned(folder)
    return folder
