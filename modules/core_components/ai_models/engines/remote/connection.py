"""Requests to a remote: bounded in time and size, cancelled at once, refused with clear words.

An answer is read in a thread with an event loop of its own. A task in a loop can be ended while it
looks a name up, connects, waits or reads, and ending it closes the connection, by which the other
machine learns that the caller is gone; a blocked socket cannot be left so.
"""

from __future__ import annotations

import asyncio
import json
import queue
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from modules.core_components.errors import BadInputError, RemoteError
from modules.core_components.progress import POLL_S, CancelToken
from modules.core_components.remotes import Remote, is_this_machine
from modules.core_components.texts import _

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_S = 10.0
JSON_BYTES = 4_000_000
# Of the message in a refusal: enough for a sentence, and no page of HTML.
_REFUSAL_BYTES, _MESSAGE_CHARACTERS = 65_536, 300
_REDIRECTS = range(300, 400)
_BUSY = (429, 503)
_NO_PERMISSION = (401, 403)


@dataclass(frozen=True)
class Call:
    """One request; `fields` and `files` make a form, `body` JSON, nothing of them a GET."""

    path: str
    body: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = None
    query: Mapping[str, str] = field(default_factory=dict)

    def parts(self) -> dict[str, Any]:
        """What httpx is given."""
        if self.body is not None:
            return {"method": "POST", "json": dict(self.body)}
        if self.files is not None:
            return {"method": "POST", "data": dict(self.fields or {}), "files": dict(self.files)}
        return {"method": "GET", "params": dict(self.query)}


@dataclass(frozen=True)
class Connection:
    """A remote, ready to be asked. `key` reads its key; `transport` stands in for the network.

    All calls raise RemoteError where the remote does not deliver (not reachable, a wrong key, no
    such model, busy, failed, too large an answer), BadInputError where it refuses what was asked,
    and JobCancelled.
    """

    name: str
    remote: Remote
    key: Callable[[], str | None]
    transport: httpx.AsyncBaseTransport | None = None

    def ask(self, call: Call, cancel: CancelToken, limit_bytes: int = JSON_BYTES) -> Any:
        """The JSON of an answer."""
        content = b"".join(self.stream(call, cancel, limit_bytes))
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RemoteError(
                _("{name} did not answer as a server for speech does.", name=self.name),
                _("Check its address."),
                details=f"{self.remote.url}{call.path} sent no JSON.",
            ) from error

    def stream(self, call: Call, cancel: CancelToken, limit_bytes: int) -> Iterator[bytes]:
        """The bytes of an answer as they come. Closing the iterator closes the connection."""
        exchange = _Exchange(self, call, limit_bytes)
        try:
            while True:
                cancel.raise_if_cancelled()
                try:
                    item = exchange.box.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    return
                yield item
        finally:
            exchange.end()

    def too_large(self) -> RemoteError:
        """For an answer above its limit."""
        return RemoteError(
            _("{name} sent more than such an answer can have, and was cut off.", name=self.name),
            _("Try again; if it goes on, the server there has a fault."),
        )


class _Exchange:
    """A request and its answer: bytes, then None, or an exception, arrive in `box`.

    Not bounded: the limit on the bytes bounds it.
    """

    def __init__(self, connection: Connection, call: Call, limit_bytes: int) -> None:
        self.box: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self._connection, self._call, self._limit = connection, call, limit_bytes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._ended = False
        name = f"remote {connection.name}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def end(self) -> None:
        """Closes the connection, whatever it is doing; nothing happens after the answer's end."""
        self._ended = True
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # the loop has ended
                return

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            return
        except BaseException as error:  # noqa: BLE001 - raised where the answer is read
            self.box.put(error)
        else:
            self.box.put(None)

    async def _run(self) -> None:
        # Bound before `_ended` is read, so that `end` is seen by one of the two.
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if self._ended:
            return
        import httpx

        try:
            await self._exchange(httpx)
        except httpx.TimeoutException as error:
            raise self._silent(isinstance(error, httpx.ConnectTimeout)) from error
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise self._unreachable(str(error)) from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise RemoteError(
                _("The connection to {name} broke off.", name=self._connection.name),
                _("Try again."),
                details=f"{self._connection.remote.url}: {type(error).__name__}",
            ) from error

    async def _exchange(self, httpx: Any) -> None:
        remote, call = self._connection.remote, self._call
        parts = call.parts()
        async with (
            httpx.AsyncClient(
                timeout=httpx.Timeout(remote.timeout_s, connect=CONNECT_TIMEOUT_S),
                follow_redirects=False,
                # A proxy of the environment does not reach this machine.
                trust_env=not is_this_machine(urlsplit(remote.url).hostname or ""),
                verify=_tls() if remote.url.startswith("https:") else False,
                transport=self._connection.transport,
            ) as client,
            client.stream(
                parts.pop("method"), f"{remote.url}{call.path}", headers=self._headers(), **parts
            ) as response,
        ):
            await self._read(response)

    def _headers(self) -> dict[str, str]:
        key = self._connection.key()
        # Not compressed: what is counted is what is kept.
        usual = {"Accept-Encoding": "identity"}
        return {**usual, "Authorization": f"Bearer {key}"} if key else usual

    async def _read(self, response: Any) -> None:
        status = response.status_code
        if status in _REDIRECTS:
            raise self._redirected(str(response.headers.get("location", "")))
        refused = status >= 400
        arrived, kept = 0, b""
        async for piece in response.aiter_raw():
            arrived += len(piece)
            if refused:
                kept += piece
                if arrived > _REFUSAL_BYTES:
                    break
            elif arrived > self._limit:
                raise self._connection.too_large()
            else:
                self.box.put(piece)
        if refused:
            raise self._refusal(status, self._message(kept))

    def _message(self, content: bytes) -> str:
        """What the remote says in OpenAI's or FastAPI's form, on one line; "" for other forms.

        Never with the key in it, which some servers repeat.
        """
        try:
            answer = json.loads(content)
            found = answer.get("error", answer.get("detail", answer.get("message", "")))
            found = found.get("message", "") if isinstance(found, dict) else found
        except (ValueError, AttributeError, RecursionError):
            return ""
        text = found if isinstance(found, str) else ""
        key = self._connection.key()
        text = text.replace(key, "…") if key else text
        return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()[:_MESSAGE_CHARACTERS]

    def _refusal(self, status: int, message: str) -> Exception:
        name = self._connection.name
        details = f"{self._connection.remote.url}{self._call.path} answered {status}."
        if status in _NO_PERMISSION:
            hint = _("Give the key anew, as the other machine has it (Models).")
            return RemoteError(
                _("{name} does not accept the key.", name=name), hint, details=details
            )
        if status in (404, 405):
            reason = message or _("It has no such model, or no such service.")
            hint = _("Ask it anew what it has (Models).")
            return RemoteError(
                _("{name} does not have this: {reason}", name=name, reason=reason),
                hint,
                details=details,
            )
        if status in _BUSY:
            reason = message or _("It cannot answer now.")
            return RemoteError(
                _("{name} is busy: {reason}", name=name, reason=reason),
                _("Try again later."),
                details=details,
            )
        if status >= 500:
            reason = message or _("Its server failed (HTTP {status}).", status=status)
            hint = _("Look at the other machine, or try again.")
            return RemoteError(
                _("{name} failed: {reason}", name=name, reason=reason), hint, details=details
            )
        reason = message or f"HTTP {status}."
        return BadInputError(
            _("{name} refuses the request: {reason}", name=name, reason=reason), details=details
        )

    def _redirected(self, place: str) -> RemoteError:
        host = urlsplit(place).netloc[:100] or _("another place")
        return RemoteError(
            _(
                "{name} passes the request on to {host}, which the studio does not follow.",
                name=self._connection.name,
                host=host,
            ),
            _("If you trust that address, add it in place of the other."),
            details=f"{self._connection.remote.url}{self._call.path} redirects.",
        )

    def _unreachable(self, reason: str) -> RemoteError:
        remote = self._connection.remote
        return RemoteError(
            _("{name} cannot be reached.", name=self._connection.name),
            _("Is the other machine on, and its server open for this one?"),
            details=f"{remote.url}: {reason}",
        )

    def _silent(self, connecting: bool) -> RemoteError:
        if connecting:
            return self._unreachable(f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
        remote = self._connection.remote
        return RemoteError(
            _(
                "{name} sent nothing for {timeout_s:.0f} s.",
                name=self._connection.name,
                timeout_s=remote.timeout_s,
            ),
            _("Perhaps it is loading a model: try again later."),
            details=remote.url,
        )


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates takes longer than a request."""
    import httpx

    return httpx.create_ssl_context()
