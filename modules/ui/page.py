"""The page as an ASGI app, with the route of its live player; the server adds its guards."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.status import HTTP_404_NOT_FOUND
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.jobs import store as jobs
from modules.core_components.texts import _, page_language, texts_of_scripts
from modules.tools.first_steps import first_steps_wanted
from modules.tools.models.memory import free_memory_in_words
from modules.tools.services import Services
from modules.tools.speaking.live_feed import CANCELLED, DONE, FAILED
from modules.ui.events import STATIC, script
from modules.ui.field_labels import labels_for_script
from modules.ui.pages import Pages
from modules.ui.recordings import player_routes, recording_routes
from modules.ui.render import render
from modules.ui.safety import served_folders
from modules.ui.studio import TITLE, VIEWS, build_studio
from modules.ui.tabs.voice_clone.first_steps import HIDE_DRAWN
from modules.ui.tabs.voices.routes import voice_file_routes
from modules.ui.theme import STYLESHEETS, StudioTheme
from modules.ui.widgets.jobs_view import progress_text

USER = "studio"
# Of the levels 1 to 9: 1.5 MB become 0.1 MB in 17 ms.
_LEVEL = 6
POLL_S = 0.05
# The job is in a database, which is asked at every eighth poll.
ASK_JOB_EVERY = 8
# The elements that play recordings; nothing of the first paint waits for them.
_LOAD_PLAYERS = "addEventListener('DOMContentLoaded', () => import('./player/players.js'));"
_LANG = re.compile(rb'(<html\b[^>]*?)\blang="[^"]*"')
_ENDS = {jobs.DONE: DONE, jobs.CANCELLED: CANCELLED}


def create_page(services: Services, password: str = "") -> FastAPI:
    """The page over the services, asking for `password` if one is given."""
    pages = Pages()
    page = build_studio(services, pages)
    undocumented: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = FastAPI(**undocumented)
    head = head_html()
    app.add_middleware(
        HeadFirst, html=lambda: head if first_steps_wanted(services) else head + HIDE_DRAWN
    )

    app.add_middleware(NotFoundPage, title=TITLE)

    def check_login(request: Request) -> None:
        if not is_logged_in(mounted.app, request):
            raise HTTPException(401, _("Log in to the page first."))

    for_viewers = [Depends(check_login)]
    app.include_router(live_routes(services), dependencies=for_viewers)
    app.include_router(voice_file_routes(services), dependencies=for_viewers)
    app.include_router(recording_routes(services), dependencies=for_viewers)
    app.include_router(player_routes())
    app.include_router(view_routes())
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        app_kwargs=undocumented,
        auth=(USER, password) if password else None,
        allowed_paths=served_folders(services),
        max_file_size=f"{services.settings.max_upload_mb}mb",
        show_error=False,
        favicon_path=STATIC / "favicon.svg",
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


def head_html() -> str:
    """What has to be on the page before Gradio's own scripts: the words of scripts in the language
    of the page, the shade, light or dark, that was chosen in this browser, and what corrects focus,
    keyboard and names of Gradio's controls."""
    style = (STATIC / "css" / "shade.css").read_text(encoding="utf-8")
    texts = json.dumps(texts_of_scripts()).replace("<", "\\u003c")
    scripts = [script("translate", TEXTS=texts, LANGUAGE=json.dumps(page_language()))]
    scripts += [script(name) for name in ("apply_shade", "hold_views", "keyboard", "names")]
    scripts.append(script("field_errors", FIELD_LABELS=labels_for_script()))
    scripts.append(script("show_progress"))
    head = f"<style>{style}</style>" + "".join(f"<script>{code}</script>" for code in scripts)
    return f"{head}<script>{_LOAD_PLAYERS}</script>"


class HeadFirst:
    """ASGI middleware: puts `html()` at the beginning of the head of every HTML page.

    What Gradio is given as `head` its page adds by script, seconds after the first paint.
    """

    def __init__(self, app: ASGIApp, html: Callable[[], str]) -> None:
        self.app = app
        self._html = html

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _asks_for_html(scope):
            await self.app(scope, receive, send)
            return
        # Uncompressed, since it is to be changed first.
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        compresses = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        start: Message | None = None
        page = b""

        async def insert(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start" and _is_html(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            page += message.get("body", b"")
            if message.get("more_body", False):
                return
            head = await asyncio.to_thread(self._html)
            page = page.replace(b"<head>", b"<head>" + head.encode(), 1)
            page = _LANG.sub(rb'\1lang="' + page_language().encode() + b'"', page, 1)
            answer = MutableHeaders(raw=start["headers"])
            if compresses:
                page = gzip.compress(page, _LEVEL)
                answer["content-encoding"] = "gzip"
                answer.add_vary_header("accept-encoding")
            answer["content-length"] = str(len(page))
            await send(start)
            await send({**message, "body": page})

        await self.app({**scope, "headers": headers}, receive, insert)


class NotFoundPage:
    """ASGI middleware: answers a browser that asks for a page which is not there.

    `title` is the name of the studio.
    """

    def __init__(self, app: ASGIApp, title: str) -> None:
        self.app = app
        self._title = title

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_replaced = False

        async def replace(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start" and message["status"] == HTTP_404_NOT_FOUND:
                is_replaced = True
                html = render(
                    "not_found",
                    title=self._title,
                    home=scope.get("root_path") or "/",
                    language=page_language(),
                )
                await HTMLResponse(html, HTTP_404_NOT_FOUND)(scope, receive, send)
            elif not is_replaced:
                await send(message)

        await self.app(scope, receive, replace if _asks_for_html(scope) else send)


def _asks_for_html(scope: Scope) -> bool:
    """Whether a request is that of a browser for a page."""
    is_page = scope["type"] == "http" and scope["method"] == "GET"
    return is_page and "text/html" in Headers(scope=scope).get("accept", "")


def _is_html(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith("text/html")


def view_routes() -> APIRouter:
    """`GET /history` and the like, as people type addresses, lead to the views of the one page."""
    router = APIRouter()
    for view in VIEWS:
        leads = RedirectResponse(f"/#/{view.id}", status_code=307)
        router.add_api_route(
            f"/{view.id}", lambda leads=leads: leads, include_in_schema=False, response_model=None
        )
    return router


def live_routes(services: Services) -> APIRouter:
    """What works now.

    `GET /live`: how much is being done. `GET /live/{job}`: a take while it is generated.
    """
    router = APIRouter()

    @router.get("/live", include_in_schema=False)
    async def what_runs() -> dict[str, Any]:
        """How many jobs run and wait, what the first of them does, and the memory that is free."""
        active = await run_in_threadpool(services.jobs.list, jobs.ACTIVE)
        running = [job for job in active if job.state == jobs.RUNNING]
        first = running[-1] if running else None
        return {
            "running": len(running),
            "waiting": len(active) - len(running),
            "title": first.title if first else "",
            "doing": progress_text(first) if first else "",
            "fraction": first.fraction if first else 0.0,
            "memory": free_memory_in_words(),
        }

    @router.get("/live/{job_id}", include_in_schema=False)
    async def live(job_id: str) -> StreamingResponse:
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
