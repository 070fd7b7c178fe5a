"""What there is: models, voices, and whether the studio is up."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modules.api.context import ApiContext
from modules.api.errors import blamed_on
from modules.api.names import (
    LISTENING_ALIASES,
    MODEL_NOT_FOUND,
    OPENAI_VOICES,
    SPEAKING_ALIASES,
    speaking_model,
    voice_of,
)
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import NotFoundError
from modules.core_components.version import APP_VERSION
from modules.tools.models.ready_models import listening_models, speaking_models
from modules.tools.services import Services
from modules.tools.speaking.fallback import choose_speaking_model
from modules.tools.speaking.voice_lookup import NamedVoice, voices_to_choose

Answer = dict[str, Any]


def listing_routes(context: ApiContext) -> APIRouter:
    """The routes that only look; plain functions read the disk, and FastAPI gives them threads."""
    router = APIRouter(tags=["Models and voices"])
    services = context.services

    @router.get("/v1/models")
    def list_models() -> Answer:
        """The installed models, and OpenAI's names for the default ones."""
        return {"object": "list", "data": list(_models(services).values())}

    @router.get("/v1/models/{model_id}")
    def retrieve_model(model_id: str) -> Answer:
        """One model of the list."""
        models = _models(services)
        if model_id not in models:
            error = NotFoundError(f"There is no model {model_id!r}.", f"{', '.join(models)}.")
            raise blamed_on("model", error, MODEL_NOT_FOUND)
        return models[model_id]

    @router.get("/v1/audio/voices")
    def list_voices(model: str = SPEAKING_ALIASES[0]) -> Answer:
        """The voices of a speaking model: stock, your own, prepared samples, OpenAI's names."""
        model_id = choose_speaking_model(services, speaking_model(services, model)).model_id
        voices = [
            _voice(voice.name, voice.label or voice.name, _kind(voice), voice.language)
            for voice in voices_to_choose(services, model_id)
        ]
        engine = services.tts.get(model_id)
        if engine.voices():
            for name in OPENAI_VOICES:
                meant = voice_of(services, engine, name)
                voices.append(_voice(name, f"{name} ({meant.name})", "openai", meant.language))
        return {"object": "list", "model": model_id, "voices": voices}

    @router.get("/health")
    async def health() -> Answer:
        """That the studio is up, and how many requests it is working on."""
        # On the event loop: it needs no thread, no lock and no disk, so it waits for nobody.
        turns = context.turns
        return {
            "status": "ok",
            "version": APP_VERSION,
            "working": turns.working,
            "waiting": turns.waiting,
        }

    return router


def _models(services: Services) -> dict[str, Answer]:
    speaking = {entry.id: entry for entry in speaking_models(services)}
    listening = {entry.id: entry for entry in listening_models(services)}
    models = {entry.id: _model(entry.id, entry) for entry in (speaking | listening).values()}
    for aliases, default, installed in (
        (SPEAKING_ALIASES, services.settings.tts_model, speaking),
        (LISTENING_ALIASES, services.settings.asr_model, listening),
    ):
        if default in installed:
            models |= {name: _model(name, installed[default]) for name in aliases}
    return models


def _model(name: str, entry: ModelEntry) -> Answer:
    return {
        "id": name,
        "object": "model",
        "created": 0,  # catalogs do not say when; clients only need a number
        "owned_by": entry.family,
        "task": entry.task,
        "label": entry.label,
        "languages": list(entry.languages),
        "stands_for": entry.id,
    }


def _kind(voice: NamedVoice) -> str:
    if voice.is_own:
        return "own"
    return "stock" if voice.kind == "preset" else "sample"


def _voice(name: str, label: str, kind: str, language: str) -> Answer:
    return {"id": name, "name": label, "kind": kind, "language": language}
