"""The models that can be used now, and their abilities."""

from __future__ import annotations

from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import StudioError
from modules.tools.services import Services

CLONING_ABILITIES = frozenset({"clone", "voice-match"})


def speaking_models(services: Services) -> tuple[ModelEntry, ...]:
    """The speaking models that are installed and have an engine."""
    return _ready(services.tts)


def listening_models(services: Services) -> tuple[ModelEntry, ...]:
    """The listening models that are installed and have an engine."""
    return _ready(services.asr)


def _ready(manager: BaseManager) -> tuple[ModelEntry, ...]:
    ids = manager.engine_ids()
    return tuple(manager.entry(model_id) for model_id in ids if manager.available(model_id))


def option_types(services: Services) -> tuple[type, ...]:
    """The kinds of options of the speaking engines that can run here, with or without weights."""
    manager = services.tts
    found = (
        manager.get(model_id).options_type
        for model_id in manager.engine_ids()
        if manager.availability(model_id).state in ("ready", "not downloaded")
    )
    return tuple(dict.fromkeys(found))


def can_clone(entry: ModelEntry) -> bool:
    """Whether the model can take a sample's voice, by cloning or by matching."""
    return bool(CLONING_ABILITIES & set(entry.abilities))


def takes_several(entry: ModelEntry) -> bool:
    """Whether the model can take one voice from several samples."""
    return "several-clips" in entry.abilities


def speaks_scripts(entry: ModelEntry) -> bool:
    """Whether the model has several speakers talk to each other in one go (a `ScriptEngine`)."""
    return "speakers" in entry.abilities


def is_voice_match(entry: ModelEntry) -> bool:
    """Whether the model approximates a voice by fitting one of its own to it."""
    return "voice-match" in entry.abilities


def designs_voices(entry: ModelEntry) -> bool:
    """Whether the model makes a voice from a description."""
    return "voice-design" in entry.abilities


def has_stock_voices(entry: ModelEntry) -> bool:
    """Whether voices come with the model."""
    return "stock-voices" in entry.abilities


def model_label(manager: BaseManager, model_id: str) -> str:
    """What people call a model; its id for one that is gone, such as a fine-tuned one."""
    try:
        return manager.entry(model_id).label
    except StudioError:
        return model_id
