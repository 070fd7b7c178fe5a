"""What keeps other sites and other machines out of the studio's page.

The page listens on 127.0.0.1, but every site the user visits can send requests there, and a site
whose name resolves to 127.0.0.1 (DNS rebinding) would even be of the page's own origin. So the
Host header must be the studio's, and what a browser sends must come from the studio's page.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.api.errors import error_response
from modules.api.security import is_api_path
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.tools.services import Services

LOOPBACK = "127.0.0.1"
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound to by default

# Gradio's page needs inline scripts and styles; nothing may be fetched from another host.
CONTENT_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
)


class KnownHosts:
    """ASGI middleware: refuses a request whose Host header is none of `names`.

    A name that begins with "*." stands for all below it, "*" for every name.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self.app = app
        self._names = frozenset(names)
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("host", "")
        name = host_name(given)
        if "*" in self._names or name in self._names or name.endswith(self._endings):
            await self.app(scope, receive, send)
            return
        # Who writes a program may have the settings as a file only.
        called = " (allowed_hosts)" if is_api_path(scope["path"]) else ""
        message = _(
            "{given!r} is not a name of this studio. Use 127.0.0.1, or add the name "
            "to “Allowed host names”{called} in the settings.",
            given=given[:100],
            called=called,
        )
        await _refusal(scope, 400, message, "Host", "host_not_allowed")(scope, receive, send)


def host_name(header: str) -> str:
    """The name of a Host header without its port, in small letters; "[::1]:7860" is "[::1]"."""
    header = header.strip().lower()
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0].rstrip(".")


def _refusal(scope: Scope, status: int, message: str, header: str, code: str) -> Response:
    """OpenAI's error object for the API, a sentence for the page."""
    if scope["type"] == "http" and is_api_path(scope["path"]):
        return error_response(status, message, header, code)
    return PlainTextResponse(message, status_code=status)


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
            message = _("This request comes from another site.")
            refusal = _refusal(scope, 403, message, "Origin", "origin_not_allowed")
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


def allowed_hosts(host: str, more: str = "") -> list[str]:
    """The names by which the studio may be called when it listens on `host`; `more` are those of
    the setting."""
    if host in ANY_ADDRESS:
        # Behind a password: a rebound name carries no login cookie of ours.
        return ["*"]
    own = {LOOPBACK, "localhost", "[::1]", socket.gethostname().lower()}
    own.add(f"[{host.lower()}]" if ":" in host else host.lower())
    return sorted(own.union(more.replace(",", " ").split()))


def check_address(host: str, password: str | None) -> None:
    """Raises BadInputError when `host` is open to other machines and no password guards it."""
    if not is_loopback(host) and not password:
        raise BadInputError(
            _("On {host} every machine of the network could use this studio.", host=host),
            _("Give a password for it, or stay on 127.0.0.1."),
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guards(host: str, more_hosts: str = "") -> list[Middleware]:
    """The middleware of an app that listens on `host`, the outermost first."""
    return [
        Middleware(KnownHosts, names=allowed_hosts(host, more_hosts)),
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


def upload_folder(services: Services) -> Path:
    """Where what the page was given lies, with the copies that Gradio makes of what it plays."""
    return services.settings.cache_folder / "page"
