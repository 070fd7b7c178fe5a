"""GET /dev/models and load, unload: which models sit in memory, and who uses them."""

from __future__ import annotations

from collections.abc import Generator

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.context import ApiContext
from modules.api.errors import blamed_on
from modules.api.names import MODEL_NOT_FOUND
from modules.api.streaming import in_turn, whole
from modules.core_components.errors import NotFoundError
from modules.core_components.progress import CancelToken
from modules.tools.models.library import (
    LoadedModel,
    ModelState,
    load,
    model_state,
    model_states,
    unload_unused,
)
from modules.tools.services import Services


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
