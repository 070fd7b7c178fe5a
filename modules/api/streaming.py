"""From work to an answer: a whole one, or one that is sent while it is being made."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from modules.api.errors import ApiError
from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken
from modules.tools.services import Services
from modules.tools.speaking.request_queue import Place, Turns

logger = logging.getLogger(__name__)


# Work in a thread of its own for the length of one request.


Piece = TypeVar("Piece")


class Work(Generic[Piece]):
    """Iterates `make(cancel)` in a thread and hands the pieces to the event loop.

    The token is set as soon as the client leaves, whether pieces are sent to it or it waits for
    the whole. Make it only after the request's body was read.
    """

    def __init__(
        self, request: Request, make: Callable[[CancelToken], Generator[Piece, None, None]]
    ) -> None:
        self.cancel = CancelToken()
        self._make = make
        self._loop = asyncio.get_running_loop()
        # Not bounded: a slow reader must not hold a turn. The limit on the text bounds it.
        self._arrived: asyncio.Queue[Piece | BaseException | None] = asyncio.Queue()
        self._watch = asyncio.create_task(self._cancel_when_left(request))
        threading.Thread(target=self._run, name=f"api {request.url.path}", daemon=True).start()

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces in order; raises what the work raised. Leaving it cancels the work."""
        try:
            while (piece := await self._arrived.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.cancel.cancel()
            self._watch.cancel()

    async def _cancel_when_left(self, request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.cancel.cancel()

    def _run(self) -> None:
        try:
            # Closed here and not some time later: it may hold a turn, or a model.
            with closing(self._make(self.cancel)) as pieces:
                for piece in pieces:
                    self._hand_over(piece)
                    self.cancel.raise_if_cancelled()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for a piece
            self._hand_over(error)
        else:
            self._hand_over(None)

    def _hand_over(self, piece: Piece | BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, piece)
        except RuntimeError:  # the server has ended, and its loop with it
            self.cancel.cancel()


# What the routes share.


# Computing happens chunk by chunk in turns of the pool; a few at once keep every client supplied.
AT_ONCE = 4


@dataclass(frozen=True)
class ApiContext:
    """The studio behind the routes, and the line in which their requests stand."""

    services: Services
    turns: Turns


def make_context(services: Services) -> ApiContext:
    """A context with an empty line of the length that the settings allow."""
    return ApiContext(services, Turns(AT_ONCE, services.settings.api_queue_length))


Make = Callable[[CancelToken], Generator[bytes, None, None]]
LastWords = Callable[[Exception], bytes]
FALLBACK_MODEL, FALLBACK_NOTE = "X-Fallback-Model", "X-Fallback-Note"


class BrokenOffError(Exception):
    """A stream could not be made to its end; raised to break the connection."""


def in_turn(context: ApiContext, request: Request, make: Make) -> Make:
    """The same work, begun when the request's turn has come."""
    name: str = request.state.request_id

    def made(cancel: CancelToken) -> Generator[bytes, None, None]:
        with context.turns.taken(cancel, name), closing(make(cancel)) as pieces:
            yield from pieces

    return made


def fallback_headers(model_id: str, note: str) -> dict[str, str]:
    """What says that another model than the one asked for answers, and why; none without a note."""
    if not note:
        return {}
    in_one_line = " ".join(note.split()).encode("ascii", "replace").decode()
    return {FALLBACK_MODEL: model_id, FALLBACK_NOTE: in_one_line}


async def whole(
    request: Request, make: Make, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The one piece that `make` yields; raises what `make` raises."""
    pieces = Work(request, make).pieces()
    return Response(await anext(pieces), headers=headers, media_type=media_type)


async def streamed(
    request: Request,
    make: Make,
    media_type: str,
    headers: Mapping[str, str] | None = None,
    last_words: LastWords | None = None,
) -> Response:
    """The pieces of `make` as they come.

    Raises what `make` raises before its first piece: whatever is refused is refused while there
    still is a status to say it with. What fails later is told by `last_words`, if the format has
    room for them, and by a broken connection if it has none.
    """
    pieces = Work(request, make).pieces()
    first = await anext(pieces, b"")
    return StreamingResponse(_sent(first, pieces, last_words), 200, headers, media_type)


async def _sent(
    first: bytes, rest: AsyncIterator[bytes], last_words: LastWords | None
) -> AsyncIterator[bytes]:
    yield first
    try:
        async for piece in rest:
            yield piece
    except JobCancelled:
        return
    except Exception as error:
        logger.exception("The work failed in the middle of a stream")
        if last_words is None:
            # Going on would sound like silence; raising breaks the connection.
            raise BrokenOffError(str(error)) from None
        yield last_words(error)


# GET /dev/queue: who works, who waits, and where a request stands.


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
