"""The OpenAI-compatible API as part of the studio's server."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse

from modules.api.captions import caption_routes
from modules.api.context import make_context
from modules.api.docs_page import docs_page
from modules.api.errors import REFUSALS, add_error_handlers
from modules.api.memory import memory_routes
from modules.api.models import listing_routes
from modules.api.phonemes import phoneme_routes
from modules.api.queueing import queue_routes
from modules.api.request_ids import NamesRequests
from modules.api.security import GUARDED, BoundedBody, NeedsKey
from modules.api.speech import speech_routes
from modules.api.transcription import transcription_routes
from modules.core_components.version import APP_VERSION
from modules.tools.services import Services

TITLE = "Voice Clone Studio API"
ABOUT = "Speech and transcription by the names and fields of OpenAI's API, on this machine."
_ROUTES = (
    speech_routes,
    caption_routes,
    phoneme_routes,
    transcription_routes,
    listing_routes,
    memory_routes,
    queue_routes,
)
# Besides the text: names, and six bytes for a character that JSON escapes.
_BODY_BYTES = 65_536
_BYTES_A_CHARACTER = 12


def add_api(app: FastAPI, services: Services) -> None:
    """Adds the routes, /docs and /openapi.json, and OpenAI's error shape for all of them.

    To be called before anything is mounted at "/", which would take every other path.
    """
    app.title, app.description, app.version = TITLE, ABOUT, APP_VERSION
    context = make_context(services)
    add_error_handlers(app)
    for routes in _ROUTES:
        app.include_router(routes(context), responses=REFUSALS)

    known = {path: ", ".join(methods).upper() for path, methods in app.openapi()["paths"].items()}

    @app.get("/openapi.json", include_in_schema=False)
    def schema() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))

    def nothing_there(request: Request, path: str) -> None:
        allowed = known.get(request.url.path)
        raise HTTPException(405, headers={"Allow": allowed}) if allowed else HTTPException(404)

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    for prefix in GUARDED:
        app.add_api_route(
            prefix + "{path:path}", nothing_there, methods=methods, include_in_schema=False
        )


def create_api(services: Services, key: str = "") -> FastAPI:
    """The API alone, without the page and without checks of Host and Origin."""
    app = FastAPI(
        middleware=api_guards(services, key), docs_url=None, redoc_url=None, openapi_url=None
    )
    add_api(app, services)
    return app


def api_guards(services: Services, key: str) -> list[Middleware]:
    """The middleware of the API, to be put behind the guards that check Host and Origin.

    Without a `key` everybody may use it whom those let through.
    """

    def limit(content_type: str) -> int:
        settings = services.settings
        if content_type.startswith("multipart/"):
            return settings.max_upload_mb * 1_000_000
        return _BODY_BYTES + _BYTES_A_CHARACTER * settings.api_max_text_characters

    keys = [Middleware(NeedsKey, key=key)] if key else []
    return [Middleware(NamesRequests), *keys, Middleware(BoundedBody, limit=limit)]
