"""Middleware of the API: the key, the limit on bodies, and the ids of requests.

All act before the body is read, so that a refusal does not cost an upload.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.api.errors import error_response, large_field

GUARDED = ("/v1/", "/dev/")
OPEN = ("/health", "/ready", "/docs", "/openapi.json")
METRICS = "/metrics"
# The header that OpenAI's clients read. asgi-correlation-id would replace an id that is not
# valid without a word; here it is refused, since clients look for their own id in the queue.
REQUEST_ID = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ApiPaths:
    """ASGI middleware: the API's paths as clients write them, and HEAD for what GET answers.

    Extra slashes, at the end or doubled, are ignored. It must come before the check of the key,
    which depends on the path. HEAD gets GET's answer without its body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = re.sub("/{2,}", "/", scope["path"])
        if len(path) > 1 and is_api_path(path.rstrip("/")):
            path = path.rstrip("/")
        if not is_api_path(path):
            await self.app(scope, receive, send)
            return
        if scope["method"] != "HEAD":
            await self.app({**scope, "path": path}, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            body = {"body": b""} if message["type"] == "http.response.body" else {}
            await send({**message, **body})

        await self.app({**scope, "path": path, "method": "GET"}, receive, send_without_body)


class ApiKey:
    """ASGI middleware: /v1, /dev and /metrics need `Authorization: Bearer KEY`.

    The metrics need it since they tell how much a studio is used; Prometheus can send it.
    """

    def __init__(self, app: ASGIApp, key: str) -> None:
        self.app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_guarded(scope) and not self._is_right(Headers(scope=scope)):
            refusal = error_response(
                401,
                "The API key is missing or wrong. Send it as 'Authorization: Bearer KEY'.",
                None,
                "invalid_api_key",
            )
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_right(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        # In constant time, so that the answer's delay says nothing about the key.
        return (
            hmac.compare_digest(given.strip().encode("latin-1"), self._key)
            and kind.lower() == "bearer"
        )


class BodyLimit:
    """ASGI middleware: 413 for a body of the API that is larger than `limit(content type)`."""

    def __init__(self, app: ASGIApp, limit: Callable[[str], int]) -> None:
        self.app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_guarded(scope):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limit(headers.get("content-type", ""))
        message = f"The request is larger than {limit:,} bytes."
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            await error_response(413, message, large_field(headers), "too_large")(
                scope, receive, send
            )
            return
        arrived = 0

        async def receive_counted() -> Message:
            nonlocal arrived
            received = await receive()
            arrived += len(received.get("body", b""))
            if arrived > limit:
                raise HTTPException(413, message)
            return received

        await self.app(scope, receive_counted, send)


class RequestIds:
    """ASGI middleware: puts the client's id, or a new one, into `scope["state"]["request_id"]` and
    into the header of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_guarded(scope):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID)
        if given is not None and not _REQUEST_ID.fullmatch(given):
            message = f"{REQUEST_ID} takes 1 to 64 letters, digits, dots, dashes and underscores."
            await error_response(400, message, REQUEST_ID, "invalid_value")(scope, receive, send)
            return
        request_id = given or uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


def is_api_path(path: str) -> bool:
    """Whether a path is one of the API, or one below its prefixes; else it is the page's."""
    return path.startswith(GUARDED) or path in OPEN or path == METRICS


def is_guarded(scope: Scope) -> bool:
    """Whether the request is one for the API; documentation, /health and /ready are open to
    everyone."""
    if scope["type"] not in ("http", "websocket"):
        return False
    path: str = scope["path"]
    return path.startswith(GUARDED) or path == METRICS
