"""The page as an app of its own, behind no guard: the server puts it there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from modules.tools.services import Services
from modules.ui.live import is_logged_in, live_routes
from modules.ui.safety import served_folders
from modules.ui.studio import build_studio
from modules.ui.theme import STYLESHEETS, StudioTheme

USER = "studio"


def create_page(services: Services, password: str = "") -> FastAPI:
    """The page over the services, asking for `password` if one is given."""
    page = build_studio(services)
    undocumented: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = FastAPI(**undocumented)
    app.include_router(live_routes(services, lambda request: is_logged_in(mounted.app, request)))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        app_kwargs=undocumented,
        auth=(USER, password) if password else None,
        allowed_paths=served_folders(services),
        max_file_size=f"{services.settings.max_upload_mb}mb",
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        theme=StudioTheme(),
        css_paths=list(STYLESHEETS),
    )
    mounted: Any = app.routes[-1]
    # Only then does Gradio check that a file named in a request is one that was uploaded.
    page.has_launched = True
    return app


# The page, built when it is first asked for.
#
# Importing Gradio and building the page takes seconds and memory. Programs that only want the API,
# and the check whether the studio is up, need not wait for it.


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
