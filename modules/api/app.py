"""The OpenAI-compatible API as part of the studio's server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from jinja2 import Environment
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response

from modules.api.diarization import diarization_routes
from modules.api.errors import REFUSALS, add_error_handlers
from modules.api.models import model_routes
from modules.api.schemas import Ready
from modules.api.security import GUARDED, ApiKey, ApiPaths, BodyLimit, RequestIds
from modules.api.speech import speech_routes
from modules.api.streaming import ApiContext, make_context, queue_routes
from modules.api.traffic import CountedRequests, Traffic
from modules.api.transcription import transcription_routes
from modules.api.voices import voice_routes
from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.errors import StudioError
from modules.core_components.version import APP_VERSION
from modules.tools.models.fallback import (
    ModelChoice,
    choose_listening_model,
    choose_speaking_model,
)
from modules.tools.services import Services

Schema = Mapping[str, Any]

TITLE = "Voice Clone Studio API"
ABOUT = "Speech and transcription by the names and fields of OpenAI's API, on this machine."
# Besides the text: names, and six bytes for a character that JSON escapes.
_BODY_BYTES = 65_536
_BYTES_PER_CHARACTER = 12
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LIMITS = {"minimum": "from", "maximum": "to", "exclusiveMaximum": "below"}


def add_api(app: FastAPI, services: Services, traffic: Traffic) -> None:
    """Adds the routes, /docs and /openapi.json, and OpenAI's error shape for all of them.

    To be called before anything is mounted at "/", which would take every other path.
    """
    app.title, app.description, app.version = TITLE, ABOUT, APP_VERSION
    context = make_context(services, traffic)
    add_error_handlers(app)
    for routes in (
        speech_routes,
        transcription_routes,
        diarization_routes,
        model_routes,
        voice_routes,
        queue_routes,
        operation_routes,
    ):
        app.include_router(routes(context), responses=REFUSALS)
    known = {path: ", ".join(methods).upper() for path, methods in app.openapi()["paths"].items()}

    @app.get("/openapi.json", include_in_schema=False)
    def schema() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))

    def refuse_path(request: Request, path: str = "") -> None:
        allowed = known.get(request.url.path)
        raise HTTPException(405, headers={"Allow": allowed}) if allowed else HTTPException(404)

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    for prefix in GUARDED:
        for path in (prefix.rstrip("/"), prefix + "{path:path}"):
            app.add_api_route(path, refuse_path, methods=methods, include_in_schema=False)


def create_api(services: Services, key: str = "", traffic: Traffic | None = None) -> FastAPI:
    """The API alone, without the page and without checks of Host and Origin."""
    traffic = traffic or Traffic()
    app = FastAPI(
        middleware=api_guards(services, key, traffic),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    add_api(app, services, traffic)
    return app


def api_guards(services: Services, key: str, traffic: Traffic) -> list[Middleware]:
    """The middleware of the API, to be put behind the guards that check Host and Origin.

    Without a `key` every client that passes those may use it. `traffic` counts the requests.
    """

    def limit(content_type: str) -> int:
        settings = services.settings
        if content_type.startswith("multipart/"):
            return settings.max_upload_mb * 1_000_000
        return _BODY_BYTES + _BYTES_PER_CHARACTER * settings.api_max_text_characters

    keys = [Middleware(ApiKey, key=key)] if key else []
    return [
        Middleware(ApiPaths),
        Middleware(CountedRequests, traffic=traffic),
        Middleware(RequestIds),
        *keys,
        Middleware(BodyLimit, limit=limit),
    ]


def operation_routes(context: ApiContext) -> APIRouter:
    """GET /health, /ready and /metrics: for those who run the studio."""
    router = APIRouter(tags=["Operation"])
    services, queue, traffic = context.services, context.queue, context.traffic

    @router.get("/health")
    async def health() -> dict[str, Any]:
        """That the studio is up, and how many requests it is working on."""
        # On the event loop: it needs no thread, no lock and no disk, so it never waits.
        return {
            "status": "ok",
            "version": APP_VERSION,
            "working": queue.working,
            "waiting": queue.waiting,
        }

    @router.get("/ready", responses={503: {"model": Ready}})
    def ready() -> Response:
        """Whether this studio takes work: 200 or 503, for the balancer before several of them.

        It does where the default model that speaks or the one that transcribes (or a fallback) is
        at hand, and the studio is not closing.
        """
        usable = {
            "speech": _is_usable(services.tts, choose_speaking_model, services),
            "transcription": _is_usable(services.asr, choose_listening_model, services),
        }
        takes_work = any(usable.values()) and not traffic.draining
        state = Ready(ready=takes_work, closing=traffic.draining, **usable)
        return JSONResponse(state.model_dump(), 200 if takes_work else 503)

    @router.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Figures for Prometheus: requests, waiting ones, time to the first sound, models, memory,
        jobs. Needs the key, where the studio has one."""
        page = traffic.metrics.page(services, queue, traffic.draining)
        return Response(page, media_type=METRICS_TYPE)

    return router


def _is_usable(
    manager: BaseManager, choose: Callable[[Services, str], ModelChoice], services: Services
) -> bool:
    try:
        return manager.available(choose(services, "").model_id)
    except StudioError:  # a model that was deleted since
        return False


def docs_page(schema: Schema) -> str:
    """The OpenAPI schema as HTML: each endpoint with its fields, their types and defaults.

    FastAPI's own pages load scripts from another host, which the studio's content policy forbids
    and which would not work offline.
    """
    template = Path(__file__).with_name("docs.html").read_text(encoding="utf-8")
    operations = [
        {
            "name": f"{method.upper()} {path}",
            "about": operation.get("description", ""),
            "fields": _fields(schema, operation),
        }
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    page = Environment(autoescape=True).from_string(template)
    return page.render(info=schema["info"], operations=operations)


def _fields(schema: Schema, operation: Schema) -> list[tuple[str, str, str, str]]:
    """(name, type, default, meaning) of the query's, the path's and the body's fields."""
    found = [
        (field["name"], field["schema"], field["required"])
        for field in operation.get("parameters", ())
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = _resolve(schema, content["schema"])
        required = body.get("required", ())
        found += [
            (name, about, name in required) for name, about in body.get("properties", {}).items()
        ]
    return [
        (
            name,
            _type(schema, about),
            "needed" if required else repr(about.get("default")),
            about.get("description", ""),
        )
        for name, about, required in found
    ]


def _type(schema: Schema, about: Schema) -> str:
    about = _resolve(schema, about)
    if "enum" in about:
        return " | ".join(map(str, about["enum"]))
    if "anyOf" in about:
        return " or ".join(_type(schema, choice) for choice in about["anyOf"])
    if about.get("type") == "array":
        return f"list of {_type(schema, about['items'])}"
    limits = [f"{word} {about[key]}" for key, word in _LIMITS.items() if key in about]
    return " ".join([str(about.get("const", about.get("type", "file"))), *limits])


def _resolve(schema: Schema, about: Schema) -> Schema:
    """The schema that a reference means."""
    place = about.get("$ref")
    if place is None and len(about.get("allOf", ())) == 1:
        place = about["allOf"][0].get("$ref")
    if place is None:
        return about
    resolved: Schema = schema["components"]["schemas"][place.rpartition("/")[2]]
    return resolved
