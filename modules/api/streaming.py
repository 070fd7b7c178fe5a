"""Work for a request: in a thread, in its turn, answered whole or as a stream."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from modules.api.errors import ApiError
from modules.api.schemas import Queue, QueuedRequest
from modules.api.traffic import Traffic
from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken
from modules.tools.services import Services
from modules.tools.speaking.request_queue import Place, RequestQueue

logger = logging.getLogger(__name__)

# The pool computes chunk by chunk in turns; a few at once keep every client supplied.
AT_ONCE = 4
EVENTS = "text/event-stream"
FALLBACK_MODEL, FALLBACK_NOTE = "X-Fallback-Model", "X-Fallback-Note"

Piece = TypeVar("Piece")
# Makes the bytes of an answer; cancelled by the token.
Make = Callable[[CancelToken], Generator[bytes, None, None]]
# Writes an error at the end of a stream whose format has room for it.
WriteError = Callable[[Exception], bytes]


@dataclass(frozen=True)
class ApiContext:
    """The studio behind the routes, the queue of their requests, and who counts them."""

    services: Services
    queue: RequestQueue
    traffic: Traffic


def make_context(services: Services, traffic: Traffic) -> ApiContext:
    """A context with an empty queue of the length that the settings allow."""
    queue = RequestQueue(AT_ONCE, services.settings.api_queue_length)
    return ApiContext(services, queue, traffic)


class BrokenOffError(Exception):
    """A stream could not be finished; raised to break the connection."""


class Work(Generic[Piece]):
    """Iterates `make(cancel)` in a thread and passes the pieces to the event loop.

    The token is set as soon as the client leaves, whether pieces are sent to it or it waits for
    the whole. Create it only after the body of the request was read.
    """

    def __init__(
        self, request: Request, make: Callable[[CancelToken], Generator[Piece, None, None]]
    ) -> None:
        self.cancel = CancelToken()
        self._make = make
        self._loop = asyncio.get_running_loop()
        # Not bounded: a slow reader must not keep its turn. The limit on the text bounds it.
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
            # Closed here and not when it is collected: it may hold a turn, or a model.
            with closing(self._make(self.cancel)) as pieces:
                for piece in pieces:
                    self._hand_over(piece)
                    self.cancel.raise_if_cancelled()
        except BaseException as error:  # noqa: BLE001 - raised again by `pieces`
            self._hand_over(error)
        else:
            self._hand_over(None)

    def _hand_over(self, piece: Piece | BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, piece)
        except RuntimeError:  # the server has ended, and its loop with it
            self.cancel.cancel()


def event(record: Mapping[str, Any]) -> bytes:
    """A server-sent event, as OpenAI sends them."""
    return b"data: " + json.dumps(record, ensure_ascii=False).encode() + b"\n\n"


def in_turn(context: ApiContext, request: Request, make: Make) -> Make:
    """The same work, begun when it is the request's turn."""
    request_id: str = request.state.request_id

    def make_in_turn(cancel: CancelToken) -> Generator[bytes, None, None]:
        with context.queue.turn(cancel, request_id), closing(make(cancel)) as pieces:
            yield from pieces

    return make_in_turn


def fallback_headers(model_id: str, note: str) -> dict[str, str]:
    """Headers that name the fallback which answers, and why; none without a note."""
    if not note:
        return {}
    one_line = " ".join(note.split()).encode("ascii", "replace").decode()
    return {FALLBACK_MODEL: model_id, FALLBACK_NOTE: one_line}


async def answer_whole(
    request: Request, make: Make, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The one piece that `make` yields; raises what `make` raises."""
    pieces = Work(request, make).pieces()
    return Response(await anext(pieces), headers=headers, media_type=media_type)


async def answer_streamed(
    request: Request,
    make: Make,
    media_type: str,
    headers: Mapping[str, str] | None = None,
    write_error: WriteError | None = None,
) -> Response:
    """The pieces of `make` as they come.

    Raises what `make` raises before its first piece, while the status is not sent yet. A later
    error is written by `write_error`; without one the connection is broken.
    """
    pieces = Work(request, make).pieces()
    first = await anext(pieces, b"")
    return StreamingResponse(_send(first, pieces, write_error), 200, headers, media_type)


async def _send(
    first: bytes, rest: AsyncIterator[bytes], write_error: WriteError | None
) -> AsyncIterator[bytes]:
    yield first
    try:
        async for piece in rest:
            yield piece
    except JobCancelled:
        return
    except Exception as error:
        logger.exception("The work failed in the middle of a stream")
        if write_error is None:
            # Going on would sound like silence; raising breaks the connection.
            raise BrokenOffError(str(error)) from None
        yield write_error(error)


def queue_routes(context: ApiContext) -> APIRouter:
    """GET /dev/queue: which requests are worked on and wait, and the place of one of them.

    On the event loop: they wait for nothing.
    """
    router = APIRouter(tags=["Queue"])
    queue = context.queue

    @router.get("/dev/queue")
    async def show_queue() -> Queue:
        """The requests that are worked on, then those that wait, in their order."""
        requests = [_queued(place) for place in queue.places()]
        working = sum(request.place == 0 for request in requests)
        return Queue(
            working=working,
            waiting=len(requests) - working,
            at_once=queue.at_once,
            limit=queue.may_wait,
            requests=requests,
        )

    @router.get("/dev/queue/{request_id}")
    async def show_place(request_id: str) -> QueuedRequest:
        """The place of one request; 404 once it is done."""
        for place in queue.places():
            if place.request_id == request_id:
                return _queued(place)
        message = "No request of that id works or waits: it is done, or was never here."
        raise ApiError(404, message, "request_id", "not_found")

    return router


def _queued(place: Place) -> QueuedRequest:
    return QueuedRequest(id=place.request_id, state=place.state, place=place.number)
