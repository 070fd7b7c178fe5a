"""Work in a thread of its own for the length of one request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import closing
from typing import Generic, TypeVar

from fastapi import Request

from modules.core_components.progress import CancelToken

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
