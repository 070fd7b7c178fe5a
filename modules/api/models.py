"""What there is: models, voices, and whether the studio is up."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.errors import blamed_on
from modules.api.streaming import ApiContext, in_turn, whole
from modules.api.voices import (
    LISTENING_ALIASES,
    MODEL_NOT_FOUND,
    OPENAI_VOICES,
    SPEAKING_ALIASES,
    speaking_model,
    voice_of,
)
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import NotFoundError
from modules.core_components.progress import CancelToken
from modules.core_components.version import APP_VERSION
from modules.tools.models.library import (
    LoadedModel,
    ModelState,
    load,
    model_state,
    model_states,
    unload_unused,
)
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


# GET /dev/models and load, unload: which models sit in memory, and who uses them.


class InMemory(BaseModel):
    """One copy of a model's weights. `used_by` names what is being done with it."""

    place: str
    bytes: int
    used_by: list[str]
    idle_seconds: float


class ModelStatus(BaseModel):
    """A model as it is now. `state` is "ready", or why not, which `problem` says in words."""

    id: str
    label: str
    task: str
    state: str
    problem: str
    in_memory: list[InMemory]


class ModelStatusList(BaseModel):
    """Every model that the studio knows."""

    object: str = "list"
    data: list[ModelStatus]


class Unloaded(BaseModel):
    """What unloading brought."""

    id: str
    freed_bytes: int


def memory_routes(context: ApiContext) -> APIRouter:
    """The routes that show and change what is in memory; nothing is downloaded by them."""
    router = APIRouter(tags=["Models in memory"])
    services = context.services

    @router.get("/dev/models")
    def list_model_states() -> ModelStatusList:
        """Every model the studio knows: whether it can be used, and what sits in memory."""
        return ModelStatusList(data=[_status(state) for state in model_states(services)])

    @router.get("/dev/models/{model_id}")
    def retrieve_model_state(model_id: str) -> ModelStatus:
        """One model of the list."""
        return _status(_known(services, model_id))

    @router.post("/dev/models/{model_id}/load", response_model=ModelStatus)
    async def load_model(request: Request, model_id: str) -> Response:
        """Brings an installed model into memory, where it stays until it was idle for long."""

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            load(services, model_id, cancel)
            yield _status(model_state(services, model_id)).model_dump_json().encode()

        await run_in_threadpool(_known, services, model_id)
        return await whole(request, in_turn(context, request, make), "application/json")

    @router.post("/dev/models/{model_id}/unload")
    def unload_model(model_id: str) -> Unloaded:
        """Takes a model out of memory; 409 while somebody uses it."""
        _known(services, model_id)
        return Unloaded(id=model_id, freed_bytes=unload_unused(services, model_id))

    return router


def _known(services: Services, model_id: str) -> ModelState:
    try:
        return model_state(services, model_id)
    except NotFoundError as error:
        raise blamed_on("model_id", error, MODEL_NOT_FOUND) from error


def _status(state: ModelState) -> ModelStatus:
    entry, availability = state.entry, state.availability
    return ModelStatus(
        id=entry.id,
        label=entry.label,
        task=entry.task,
        state=availability.state,
        problem=f"{availability.message} {availability.hint}".strip(),
        in_memory=[_in_memory(loaded) for loaded in state.loaded],
    )


def _in_memory(loaded: LoadedModel) -> InMemory:
    return InMemory(
        place=loaded.place,
        bytes=loaded.nbytes,
        used_by=list(loaded.holders),
        idle_seconds=round(loaded.idle_s, 1),
    )
