"""The page, built when it is first asked for.

Importing Gradio and building the page takes seconds and memory. Programs that only want the API,
and the check whether the studio is up, need not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


class LatePage:
    """An ASGI app that is made by `build`, in a thread, at the first request.

    Its lifespan runs from there on, in a task of its own: whoever mounts it started long before.
    A build that failed is tried again at the next request.
    """

    def __init__(self, build: Callable[[], FastAPI]) -> None:
        self._build = build
        self._page: asyncio.Task[FastAPI] | None = None
        self._living: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._page is None or _has_failed(self._page):
            self._page = asyncio.create_task(self._start())
        # Shielded: a visitor who leaves must not take the page away from the next one.
        page = await asyncio.shield(self._page)
        await page(scope, receive, send)

    async def close(self) -> None:
        """Ends the page's lifespan, if it ever began."""
        self._over.set()
        if self._living is not None:
            await self._living

    async def _start(self) -> FastAPI:
        page = await asyncio.to_thread(self._build)
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._living = asyncio.create_task(self._live(page, begun))
        await begun
        return page

    async def _live(self, page: FastAPI, begun: asyncio.Future[None]) -> None:
        try:
            async with page.router.lifespan_context(page):
                begun.set_result(None)
                await self._over.wait()
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(error)


def _has_failed(task: asyncio.Task[FastAPI]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
