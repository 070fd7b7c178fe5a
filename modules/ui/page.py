"""The page as an ASGI app, with the route of its live player; the server adds its guards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.jobs import store as jobs
from modules.tools.services import Services
from modules.tools.speaking.live_feed import CANCELLED, DONE, FAILED
from modules.ui.pages import Pages
from modules.ui.safety import served_folders
from modules.ui.studio import build_studio
from modules.ui.theme import STYLESHEETS, StudioTheme

USER = "studio"
POLL_S = 0.05
# The job is in a database, which is asked at every eighth poll.
ASK_JOB_EVERY = 8
_ENDS = {jobs.DONE: DONE, jobs.CANCELLED: CANCELLED}


def create_page(services: Services, password: str = "") -> FastAPI:
    """The page over the services, asking for `password` if one is given."""
    pages = Pages()
    page = build_studio(services, pages)
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
    mounted.app.state.pages = pages
    # Only then does Gradio check that a file named in a request is one that was uploaded.
    page.has_launched = True
    return app


def live_routes(services: Services, may_listen: Callable[[Request], bool]) -> APIRouter:
    """`GET /live/{job}`: a take while it is generated, for those who may see the page."""
    router = APIRouter()

    @router.get("/live/{job_id}", include_in_schema=False)
    async def live(job_id: str, request: Request) -> StreamingResponse:
        if not may_listen(request):
            raise HTTPException(401, "Log in to the page first.")
        try:
            job = await run_in_threadpool(services.jobs.get, job_id)
        except NotFoundError as error:
            raise HTTPException(404, error.message) from error
        return StreamingResponse(
            follow(services, job),
            media_type="application/x-ndjson",
            headers={"Cache-Control": "no-store"},
        )

    return router


def is_logged_in(gradio_app: Any, request: Request) -> bool:
    """Whether the page itself would be shown: it has no password, or the cookie of a login."""
    if gradio_app.auth is None:
        return True
    names = (
        f"access-token-{gradio_app.cookie_id}",
        f"access-token-unsecure-{gradio_app.cookie_id}",
    )
    return any(request.cookies.get(name) in gradio_app.tokens for name in names)


async def follow(services: Services, job: Job) -> AsyncIterator[str]:
    """Lines of JSON: first `{"text"}`, then pieces (see `piece_line`), at last `{"end"}`.

    A job that waits for its turn is waited for. `end` is "done", "cancelled", "failed" or "left
    behind".
    """
    yield _line({"text": str(job.payload.get("text", ""))})
    position, polls, end = 0, 0, ""
    while not end:
        # Asked before the feed is read: a job that has ended puts nothing more into it.
        if polls % ASK_JOB_EVERY == 0:
            end = await run_in_threadpool(_end_of, services, job.id)
        polls += 1
        feed = services.live.find(job.id)
        if feed is not None and end != CANCELLED:
            news = feed.after(position)
            position, end = news.position, news.end or end
            for line in news.lines:
                yield line + "\n"
        if not end:
            await asyncio.sleep(POLL_S)
    yield _line({"end": end})


def _end_of(services: Services, job_id: str) -> str:
    """How a job ended, or is about to; "" while it waits or works."""
    try:
        job = services.jobs.get(job_id)
    except NotFoundError:
        return CANCELLED
    if job.cancel_requested:
        return CANCELLED
    if job.is_active:
        return ""
    return _ENDS.get(job.state, FAILED)


def _line(content: dict[str, str]) -> str:
    return json.dumps(content) + "\n"
