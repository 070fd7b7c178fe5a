"""The OpenAI-compatible API as part of the studio's server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse

from modules.api.errors import REFUSALS, add_error_handlers
from modules.api.models import listing_routes, memory_routes
from modules.api.phonemes import caption_routes, phoneme_routes
from modules.api.security import GUARDED, BoundedBody, NamesRequests, NeedsKey
from modules.api.speech import speech_routes
from modules.api.streaming import make_context, queue_routes
from modules.api.transcription import transcription_routes
from modules.core_components.version import APP_VERSION
from modules.tools.services import Services

# GET /docs: the OpenAPI schema as a page that loads nothing from anywhere else.
#
# FastAPI's own pages fetch their scripts from another host, which the studio's content policy
# forbids, and which would not work offline.


Schema = Mapping[str, Any]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; font-size: 1.1rem } code { font-size: .95em }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem }
td, th { border-bottom: 1px solid #8884; vertical-align: top } :root { color-scheme: light dark }
"""


def docs_page(schema: Schema) -> str:
    """A whole HTML page: each endpoint with its fields, their kinds, defaults and meaning."""
    about = schema["info"]
    title = escape(about["title"])
    sections = "".join(
        _operation(schema, method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title} {escape(about['version'])}</h1>"
        f"<p>{escape(about.get('description', ''))} Examples are in <code>docs/api.md</code>, "
        f"the schema for programs is at <a href='openapi.json'>openapi.json</a>.</p>"
        f"{sections}</html>"
    )


def _operation(schema: Schema, method: str, path: str, operation: Schema) -> str:
    rows = "".join(_row(schema, *field) for field in _fields(schema, operation))
    head = "<tr><th>field<th>kind<th>default<th>meaning</tr>"
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description', ''))}</p>"
        + (f"<table>{head}{rows}</table>" if rows else "")
    )


def _fields(schema: Schema, operation: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """(name, schema, required) of the query's, the path's and the body's fields."""
    for field in operation.get("parameters", ()):
        yield field["name"], field["schema"], field["required"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = _resolved(schema, content["schema"])
        for name, about in body.get("properties", {}).items():
            yield name, about, name in body.get("required", ())


def _row(schema: Schema, name: str, about: Schema, required: bool) -> str:
    default = "needed" if required else repr(about.get("default"))
    cells = (f"<code>{escape(name)}</code>", escape(_kind(schema, about)))
    meaning = escape(about.get("description", ""))
    return f"<tr><td>{cells[0]}<td>{cells[1]}<td>{escape(default)}<td>{meaning}</tr>"


def _kind(schema: Schema, about: Schema) -> str:
    about = _resolved(schema, about)
    if "enum" in about:
        return " | ".join(map(str, about["enum"]))
    if "anyOf" in about:
        return " or ".join(_kind(schema, choice) for choice in about["anyOf"])
    if about.get("type") == "array":
        return f"list of {_kind(schema, about['items'])}"
    limits = [f"{word} {about[key]}" for key, word in _LIMITS.items() if key in about]
    return " ".join([str(about.get("const", about.get("type", "file"))), *limits])


_LIMITS = {"minimum": "from", "maximum": "to", "exclusiveMaximum": "below"}


def _resolved(schema: Schema, about: Schema) -> Schema:
    """The schema that a reference means."""
    place = about.get("$ref")
    if place is None and len(about.get("allOf", ())) == 1:
        place = about["allOf"][0].get("$ref")
    if place is None:
        return about
    resolved: Schema = schema["components"]["schemas"][place.rpartition("/")[2]]
    return resolved


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
