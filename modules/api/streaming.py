"""From work to an answer: a whole one, or one that is sent while it is being made."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import closing

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from modules.api.context import ApiContext
from modules.api.work import Work
from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken

logger = logging.getLogger(__name__)

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
