"""GET /dev/queue: who works, who waits, and where a request stands."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from modules.api.context import ApiContext
from modules.api.errors import ApiError
from modules.tools.speaking.request_queue import Place


class QueuedRequest(BaseModel):
    """A request by its X-Request-Id. `place` 1 is the next to be worked on, 0 has begun."""

    id: str
    state: str
    place: int


class Queue(BaseModel):
    """How many work and wait now; `at_once` may work and `limit` may wait."""

    working: int
    waiting: int
    at_once: int
    limit: int
    requests: list[QueuedRequest]


def queue_routes(context: ApiContext) -> APIRouter:
    """The routes that show the line; on the event loop, since they wait for nobody."""
    router = APIRouter(tags=["Queue"])
    turns = context.turns

    @router.get("/dev/queue")
    async def show_queue() -> Queue:
        """The requests that are worked on, then those that wait, in their order."""
        requests = [_queued(place) for place in turns.places()]
        working = sum(request.place == 0 for request in requests)
        return Queue(
            working=working,
            waiting=len(requests) - working,
            at_once=turns.at_once,
            limit=turns.may_wait,
            requests=requests,
        )

    @router.get("/dev/queue/{request_id}")
    async def show_place(request_id: str) -> QueuedRequest:
        """The place of one request; 404 once it is done."""
        for place in turns.places():
            if place.name == request_id:
                return _queued(place)
        message = "No request of that id works or waits: it is done, or was never here."
        raise ApiError(404, message, "request_id", "not_found")

    return router


def _queued(place: Place) -> QueuedRequest:
    return QueuedRequest(id=place.name, state=place.state, place=place.number)
