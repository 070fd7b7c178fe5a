"""Every request has an id: the client's own, or one that it is told in the answer's header."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.api.errors import error_response
from modules.api.security import is_guarded

# OpenAI's clients read the answer's header of this name.
HEADER = "X-Request-Id"
_ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class NamesRequests:
    """ASGI middleware: puts the id into `scope["state"]["request_id"]` and into the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_guarded(scope):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER)
        if given is not None and not _ALLOWED.fullmatch(given):
            message = f"{HEADER} takes 1 to 64 letters, digits, dots, dashes and underscores."
            await error_response(400, message, HEADER, "invalid_value")(scope, receive, send)
            return
        request_id = given or uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self.app(scope, receive, send_named)
