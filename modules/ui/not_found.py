"""A page of its own for addresses that do not exist, for browsers; programs get JSON."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.ui.render import render

NOT_FOUND = 404


def asks_for_html(scope: Scope) -> bool:
    """Whether a request is that of a browser for a page."""
    is_page = scope["type"] == "http" and scope["method"] == "GET"
    return is_page and "text/html" in Headers(scope=scope).get("accept", "")


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
            if message["type"] == "http.response.start" and message["status"] == NOT_FOUND:
                is_replaced = True
                html = render("not_found", title=self._title, home=scope.get("root_path") or "/")
                await HTMLResponse(html, NOT_FOUND)(scope, receive, send)
            elif not is_replaced:
                await send(message)

        await self.app(scope, receive, replace if asks_for_html(scope) else send)
