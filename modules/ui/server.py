"""Serving the page and the API on this machine.

The page is mounted in an app of our own instead of launched by Gradio: the guards then stand in
front of everything, the API answers before the page is built, and opening does not depend on Gradio
reaching itself through a proxy that the environment names.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from modules.api.app import add_api, api_guards
from modules.api.traffic import Traffic
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.texts import _
from modules.tools.jobs import register_job_kinds
from modules.tools.models.library import do_later, preload
from modules.tools.services import Services, clean_cache, open_services
from modules.tools.voices.preparation import resume_preparations
from modules.tools.voices.refinement import resume_refinements
from modules.tools.voices.samples import submit_demo_sample
from modules.ui.safety import ANY_ADDRESS, LOOPBACK, check_address, guards

logger = logging.getLogger(__name__)

# A page that is still open would keep the server waiting for its event stream.
SHUTDOWN_S = 1
_LAST_PORT = 65_535
TICK_S = 0.025
# A studio that drains goes on to say so for a moment, so that a balancer has asked it once.
_LINGER_S = 1.0
_BACKLOG = 2048  # uvicorn's own


def launch(
    root: Path,
    port: int,
    host: str = "",
    password: str = "",
    open_browser: bool = True,
    announce: Callable[[str], None] = logger.info,
    api_key: str = "",
    drain_s: float = 0.0,
) -> None:
    """Opens the studio of a data folder and serves it until Ctrl-C; `announce` says where.

    SIGTERM lets requests that are being answered end, `drain_s` seconds at most.

    Raises BadInputError for an address that other machines reach without a password and for what
    is no port or address, and StudioError for a port that is taken.
    """
    host = host or LOOPBACK
    check_address(host, password)
    with listening_socket(host, port) as listener:
        services = open_services(root)
        try:
            register_job_kinds(services)
            clean_cache(services)
            submit_demo_sample(services)
            page_built = threading.Event()
            traffic = Traffic()
            app = create_app(services, host, password, api_key, page_built.set, traffic)
            address = _address(host, listener.getsockname()[1])

            def on_open() -> None:
                _announce(address, open_browser, announce)
                do_later(page_built, partial(preload, services))
                do_later(page_built, partial(resume_preparations, services))
                do_later(page_built, partial(resume_refinements, services))

            serve(app, listener, on_open, traffic, drain_s)
        finally:
            services.close()


def create_app(
    services: Services,
    host: str = LOOPBACK,
    password: str = "",
    api_key: str = "",
    on_page_built: Callable[[], None] = lambda: None,
    traffic: Traffic | None = None,
) -> FastAPI:
    """Page and API behind their guards, as an app that any ASGI server can run.

    The API needs `api_key`; without one it needs the page's password, if that has one. `traffic`
    counts its requests.
    """
    traffic = traffic or Traffic()
    undocumented: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    middleware = [
        *guards(host, services.settings.allowed_hosts),
        *api_guards(services, api_key or password, traffic),
    ]
    page = LazyPage(lambda: _build_page(services, password, on_page_built))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await page.close()

    app = FastAPI(middleware=middleware, lifespan=lifespan, **undocumented)
    add_api(app, services, traffic)
    app.mount("/", page)
    return app


def _build_page(services: Services, password: str, on_built: Callable[[], None]) -> FastAPI:
    from modules.ui.page import create_page  # Gradio: seconds

    page = create_page(services, password)
    on_built()
    return page


class LazyPage:
    """An ASGI app that `build` makes, in a thread, when it is first asked for.

    Importing Gradio and building the page takes seconds and memory, which a program that only uses
    the API, or asks whether the studio is up, need not wait for. The page's lifespan begins with
    it, long after that of the server, and ends with `close`. A build that failed is repeated at the
    next request.
    """

    def __init__(self, build: Callable[[], FastAPI]) -> None:
        self._build = build
        self._opening: asyncio.Task[FastAPI] | None = None
        self._lifespan = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._opening is None or _has_failed(self._opening):
            self._opening = asyncio.create_task(self._open())
        # Shielded: a request that is cancelled must not cancel the page that others wait for.
        page = await asyncio.shield(self._opening)
        await page(scope, receive, send)

    async def close(self) -> None:
        """Ends the page's lifespan, if it ever began."""
        await self._lifespan.aclose()

    async def _open(self) -> FastAPI:
        page = await asyncio.to_thread(self._build)
        await self._lifespan.enter_async_context(page.router.lifespan_context(page))
        return page


def _has_failed(task: asyncio.Task[FastAPI]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    It listens at once: until then two studios that start together could bind the same port. Raises
    BadInputError for what is no port or address, StudioError for a port that is taken.
    """
    if not 0 <= port <= _LAST_PORT:
        raise BadInputError(
            _("{port} is not a valid port.", port=port),
            _("Choose one from 1 to {last_port}, or 0 for a free one.", last_port=_LAST_PORT),
            "port",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        # A port that was left a moment ago is free again.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform == "win32":
        # Windows would let a second program take the port over.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, ValueError) as error:  # ValueError: a name that is no host name
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds the studio."""
    shown = LOOPBACK if host in ANY_ADDRESS else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _cannot_listen(host: str, port: int, error: OSError | ValueError) -> StudioError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return StudioError(
            _("Port {port} is taken.", port=port),
            _(
                "Perhaps the studio is open: look at {address}, or choose --port.",
                address=_address(host, port),
            ),
        )
    if isinstance(error, ValueError | socket.gaierror) or number == errno.EADDRNOTAVAIL:
        return BadInputError(
            _("{host!r} is not an address of this machine.", host=host),
            _("Leave --host out, or give one."),
            "host",
        )
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return StudioError(
        _(
            "The studio cannot listen on {host}:{port} ({reason}).",
            host=host,
            port=port,
            reason=reason,
        ),
        _("Choose another --port."),
    )


def serve(
    app: Any,
    listener: socket.socket,
    on_open: Callable[[], None],
    traffic: Traffic | None = None,
    drain_s: float = 0.0,
) -> None:
    """Serves until Ctrl-C or SIGTERM; calls `on_open` once requests are answered.

    With `drain_s` the first SIGTERM only drains: /ready says no, new requests are refused, and the
    end comes when the running ones are answered, or after that many seconds. A second one, and
    Ctrl-C, end at once.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        loop=f"{__name__}:{PatientLoop.__name__}" if os.name == "posix" else "auto",
    )
    _Server(config, on_open, traffic, drain_s).run(sockets=[listener])


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers are no finer than 25 ms.

    Gradio's queue looks for work every millisecond, whether a page is open or not, which takes a
    tenth of a core; on Windows it looks every 50 ms. What arrives on a socket is handled at once.
    """

    def call_at(  # type: ignore[override]  # their types name each argument apart
        self,
        when: float,
        callback: Callable[..., Any],
        *arguments: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Timers of one tick fire together."""
        tick = math.ceil(when / TICK_S) * TICK_S
        return super().call_at(tick, callback, *arguments, context=context)


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        on_open: Callable[[], None],
        traffic: Traffic | None,
        drain_s: float,
    ) -> None:
        super().__init__(config)
        self._on_open = on_open
        self._traffic = traffic
        self._drain_s = drain_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        traffic = self._traffic
        if sig != signal.SIGTERM or not self._drain_s or traffic is None or traffic.draining:
            super().handle_exit(sig, frame)
            return
        traffic.start_draining()
        threading.Thread(target=self._end_when_idle, args=(traffic,), name="drain").start()

    def _end_when_idle(self, traffic: Traffic) -> None:
        """Keeps listening meanwhile: a balancer gets an answer, and no refused connection."""
        time.sleep(min(_LINGER_S, self._drain_s))
        ended = traffic.wait_until_idle(self._drain_s - _LINGER_S)
        if not ended:
            logger.warning("%d requests were still being answered at the end", traffic.open)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Cuts the event streams of open pages, each of which uvicorn would report as an error.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def _announce(address: str, open_browser: bool, announce: Callable[[str], None]) -> None:
    announce(f"Voice Clone Studio is open: {address}  (Ctrl-C ends it)")
    if open_browser:
        webbrowser.open(address)
