"""What keeps other sites and other machines out of the studio's page.

The page listens on 127.0.0.1, but every site the user visits can send requests there, and a site
whose name resolves to 127.0.0.1 (DNS rebinding) would even be of the page's own origin. So the
Host header must be the studio's, and what a browser sends must come from the studio's page.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.core_components.errors import BadInputError
from modules.tools.services import Services

LOOPBACK = "127.0.0.1"
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound to by default

# Gradio's page needs inline scripts and styles; nothing may be fetched from another host.
CONTENT_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
)


class SameOrigin:
    """ASGI middleware: refuses what a foreign page sends, and adds the page's content policy.

    A browser names the sending page in Origin (writes, sockets) and in Sec-Fetch-Site (all
    requests). Typing the address or following a link stays possible; programs send neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if _is_foreign(Headers(scope=scope)):
            refusal = PlainTextResponse("This request comes from another site.", status_code=403)
            await refusal(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_policy(message)
            await send(message)

        await self.app(scope, receive, send_with_policy)


def _is_foreign(headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return True
    # A page on another port of this machine counts as "same-site"; it is foreign all the same.
    from_elsewhere = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
    return from_elsewhere and headers.get("sec-fetch-mode") != "navigate"


def _add_policy(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    headers["Content-Security-Policy"] = CONTENT_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"


def allowed_hosts(host: str) -> list[str]:
    """The names under which a browser may call the studio when it listens on `host`."""
    if host in ANY_ADDRESS:
        # Behind a password: a rebound name carries no login cookie of ours.
        return ["*"]
    return sorted({LOOPBACK, "localhost", "[::1]", "::1", host, socket.gethostname().lower()})


def check_address(host: str, password: str | None) -> None:
    """Raises BadInputError when `host` is open to other machines and no password guards it."""
    if not is_loopback(host) and not password:
        raise BadInputError(
            f"On {host} every machine of the network could use this studio.",
            "Give a password for it, or stay on 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guards(host: str) -> list[Middleware]:
    """The middleware of an app that listens on `host`, the outermost first."""
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=allowed_hosts(host)),
        Middleware(SameOrigin),
    ]


def served_folders(services: Services) -> list[str]:
    """What the page may hand to a browser besides what it was given: recordings and exports."""
    settings = services.settings
    own = (
        settings.output_folder,
        settings.samples_folder,
        settings.datasets_folder,
        settings.training_folder,
    )
    made = (services.exports_folder, services.previews_folder)
    return [str(folder) for folder in (*own, *made)]
