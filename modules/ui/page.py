"""The page as an ASGI app; the server adds the guards of `safety`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
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


class LazyPage:
    """An ASGI app that `build` makes, in a thread, when it is first asked for.

    Importing Gradio and building the page takes seconds and memory, which a program that only uses
    the API, or asks whether the studio is up, need not wait for. The page's lifespan begins with
    it, long after that of the server, and ends with `close`. A build that failed is repeated at the
    next request.
    """

    def __init__(self, build: Callable[[], FastAPI]) -> None:
        self._build = build
        self._opening: asyncio.Task[FastAPI] | None = None
        self._lifespan = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._opening is None or _has_failed(self._opening):
            self._opening = asyncio.create_task(self._open())
        # Shielded: a request that is cancelled must not cancel the page that others wait for.
        page = await asyncio.shield(self._opening)
        await page(scope, receive, send)

    async def close(self) -> None:
        """Ends the page's lifespan, if it ever began."""
        await self._lifespan.aclose()

    async def _open(self) -> FastAPI:
        page = await asyncio.to_thread(self._build)
        await self._lifespan.enter_async_context(page.router.lifespan_context(page))
        return page


def _has_failed(task: asyncio.Task[FastAPI]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
