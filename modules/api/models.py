"""GET /v1/models; GET /dev/models and load, unload: which models are installed and in memory;
GET /dev/recommended-models: which can take a sample's voice."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.errors import blame
from modules.api.schemas import (
    InMemory,
    ModelStatus,
    ModelStatusList,
    RecommendedModel,
    RecommendedModels,
    Unloaded,
)
from modules.api.streaming import ApiContext, answer_whole, in_turn
from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import ModelMissingError, NotFoundError
from modules.core_components.progress import CancelToken
from modules.tools.models.fallback import (
    ModelChoice,
    choose_listening_model,
    choose_speaking_model,
)
from modules.tools.models.library import (
    ModelState,
    load,
    model_state,
    model_states,
    unload_unused,
)
from modules.tools.models.ready_models import listening_models, speaking_models
from modules.tools.models.recommendation import Recommendation, recommend
from modules.tools.services import Services

MODEL_NOT_FOUND = "model_not_found"
# The only names that many clients know; each means the default model of the settings.
SPEAKING_ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "kokoro")
LISTENING_ALIASES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
)
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")

Answer = dict[str, Any]


def choose_speaker(services: Services, name: str) -> ModelChoice:
    """The speaking model that a client means if it is installed, else its fallback.

    Raises ApiError (404, blaming "model") for an unknown name and a model that is not installed,
    ModelMissingError if the default model is not installed.
    """
    wanted = "" if is_alias(name, SPEAKING_ALIASES) else name
    default = services.settings.tts_model
    return _choose(services, services.tts, choose_speaking_model, wanted, default)


def choose_listener(services: Services, name: str) -> ModelChoice:
    """As `choose_speaker`, for listening models."""
    wanted = "" if is_alias(name, LISTENING_ALIASES) else name
    default = services.settings.asr_model
    return _choose(services, services.asr, choose_listening_model, wanted, default)


def is_alias(name: str, aliases: Collection[str]) -> bool:
    """Whether a client means the default model, in any case and with the date of a version:
    "gpt-4o-mini-tts-2025-12-15"."""
    return _DATE.sub("", name.strip().lower()) in ("", *aliases)


def _choose(
    services: Services,
    manager: BaseManager,
    choose: Callable[[Services, str], ModelChoice],
    wanted: str,
    default: str,
) -> ModelChoice:
    try:
        choice = choose(services, wanted)
        state = manager.availability(choice.model_id)
    except NotFoundError as error:
        raise blame("model", error, MODEL_NOT_FOUND) from error
    if state.ready:
        return choice
    if choice.model_id == default:
        raise ModelMissingError(state.message, state.hint)
    installed = ", ".join(known for known in manager.engine_ids() if manager.available(known))
    missing = NotFoundError(
        f"The model {choice.model_id!r} is not installed.", f"Installed: {installed or 'none'}."
    )
    raise blame("model", missing, MODEL_NOT_FOUND)


def model_routes(context: ApiContext) -> APIRouter:
    """The routes that list models, and those that load and unload them; none downloads any.

    Plain functions read the disk, and FastAPI runs them in threads.
    """
    router = APIRouter()
    services = context.services

    @router.get("/v1/models", tags=["Models and voices"])
    def list_models() -> Answer:
        """The installed models, and OpenAI's names for the default ones."""
        return {"object": "list", "data": list(_models(services).values())}

    @router.get("/v1/models/{model_id:path}", tags=["Models and voices"])
    def retrieve_model(model_id: str) -> Answer:
        """One model of the list."""
        models = _models(services)
        by_name = {name.casefold(): model for name, model in models.items()}
        if model_id.casefold() not in by_name:
            error = NotFoundError(f"There is no model {model_id!r}.", f"{', '.join(models)}.")
            raise blame("model", error, MODEL_NOT_FOUND)
        return by_name[model_id.casefold()]

    @router.get("/dev/models", tags=["Models in memory"])
    def list_model_states() -> ModelStatusList:
        """Every model the studio knows: whether it can be used, and what is in memory."""
        return ModelStatusList(data=[_status(state) for state in model_states(services)])

    @router.get("/dev/models/{model_id:path}", tags=["Models in memory"])
    def retrieve_model_state(model_id: str) -> ModelStatus:
        """One model of the list."""
        return _status(_state(services, model_id))

    @router.get("/dev/recommended-models", tags=["Models and voices"])
    def list_recommended_models(sample: str = "") -> RecommendedModels:
        """The models that can take a sample's voice on this machine, best first.

        Asks the hub whether it is there, unless the studio is offline; downloads nothing.
        """
        try:
            found = recommend(services, sample)
        except NotFoundError as error:
            raise blame("sample", error) from error
        language = found[0].language if found else ""
        data = [_recommended(one) for one in found]
        return RecommendedModels(sample=sample, language=language, data=data)

    @router.post(
        "/dev/models/{model_id:path}/load", tags=["Models in memory"], response_model=ModelStatus
    )
    async def load_model(request: Request, model_id: str) -> Response:
        """Loads an installed model; it stays in memory until it was idle for long."""

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            load(services, model_id, cancel)
            yield _status(model_state(services, model_id)).model_dump_json().encode()

        await run_in_threadpool(_state, services, model_id)
        return await answer_whole(request, in_turn(context, request, make), "application/json")

    @router.post("/dev/models/{model_id:path}/unload", tags=["Models in memory"])
    def unload_model(model_id: str) -> Unloaded:
        """Unloads a model; 409 while it is in use."""
        _state(services, model_id)
        return Unloaded(id=model_id, freed_bytes=unload_unused(services, model_id))

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


def _state(services: Services, model_id: str) -> ModelState:
    try:
        return model_state(services, model_id)
    except NotFoundError as error:
        raise blame("model_id", error, MODEL_NOT_FOUND) from error


def _recommended(one: Recommendation) -> RecommendedModel:
    return RecommendedModel(
        id=one.model_id,
        label=one.label,
        way=one.way,
        state=one.state,
        download_bytes=one.download_bytes,
        memory_bytes=one.memory_bytes,
        device=one.device,
        licence=one.licence.name,
        commercial=one.licence.commercial,
        needs_acceptance=one.needs_acceptance,
        needs_token=one.needs_token,
        languages=list(one.languages),
        speaks_language=one.speaks_language,
        real_time_factor=one.speed.real_time_factor if one.speed else None,
        measured=bool(one.speed and one.speed.measured),
        problem=f"{one.problem} {one.hint}".strip(),
    )


def _status(state: ModelState) -> ModelStatus:
    entry, availability = state.entry, state.availability
    return ModelStatus(
        id=entry.id,
        label=entry.label,
        task=entry.task,
        state=availability.state,
        problem=f"{availability.message} {availability.hint}".strip(),
        in_memory=[
            InMemory(
                place=loaded.place,
                bytes=loaded.nbytes,
                used_by=list(loaded.holders),
                idle_seconds=round(loaded.idle_s, 1),
            )
            for loaded in state.loaded
        ],
    )
