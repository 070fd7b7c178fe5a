"""What the API is doing now: requests under way, and whether the studio takes new ones."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.api.errors import error_response
from modules.api.security import METRICS, is_api_path, is_guarded

if TYPE_CHECKING:
    from modules.api.metrics import Metrics

_CHECK_EVERY_S = 0.05


class Traffic:
    """Counts requests of the API, and lets the running ones end before the studio does.

    Safe from every thread. The server that is to end calls `drain`, the middleware below the rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self.draining = False

    @cached_property
    def metrics(self) -> Metrics:
        """Made, with the package it needs, at the first request that counts, not at the start."""
        from modules.api.metrics import Metrics

        return Metrics()

    @property
    def open(self) -> int:
        """How many requests under /v1 and /dev are being answered."""
        return self._open

    def begin(self) -> None:
        """A request has come."""
        with self._lock:
            self._open += 1

    def end(self) -> None:
        """Its answer is sent, or its client has left."""
        with self._lock:
            self._open -= 1

    def start_draining(self) -> None:
        """From now on new work is refused."""
        self.draining = True

    def wait_until_idle(self, longest_s: float) -> bool:
        """Whether all answers ended within that time."""
        until = time.monotonic() + longest_s
        while self._open and time.monotonic() < until:
            time.sleep(_CHECK_EVERY_S)
        return not self._open


class CountedRequests:
    """ASGI middleware: counts the API's requests, and refuses new work while the studio drains.

    It stands before the check of the key, so that refusals count, too, and behind `ApiPaths`.
    """

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_api_path(scope["path"]):
            await self.app(scope, receive, send)
            return
        if not is_guarded(scope) or scope["path"] == METRICS:
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["arrived_s"] = time.monotonic()
        status = 500

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._traffic.begin()
        try:
            if self._traffic.draining:
                refusal = error_response(
                    503, "This studio is closing and takes no new requests.", None, "draining"
                )
                # A client that keeps the connection would ask the same replica again.
                refusal.headers["Connection"] = "close"
                await refusal(scope, receive, send_counted)
            else:
                await self.app(scope, receive, send_counted)
        finally:
            self._traffic.end()
            self._traffic.metrics.count_request(scope, status)
