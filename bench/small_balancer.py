"""A balancer for `bench/replicas.py`, with the rules of deploy/Caddyfile.

No Caddy, nginx or HAProxy is at hand where the benchmark runs. This one is for measuring only: one
request for each connection, no TLS, no limits. The rules: the replica with the fewest requests that
said yes at /ready; the next one where no connection came about; a 502 where a replica broke off
before its answer began, and a broken connection where it broke off within it.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

READY_EVERY_S, CONNECT_S = 0.5, 2.0
_ID = re.compile(rb"\r\nx-request-id: *([\w.-]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TOLD = {"error": {"message": "No studio could answer.", "code": "not_available"}}


@dataclass
class Replica:
    """One studio: where it listens, and what it does now."""

    port: int
    ready: bool = False
    under_way: int = 0
    served: list[str] = field(default_factory=list)


class Balancer:
    """Listens on a port of its own, in a thread; each replica notes the ids it `served`."""

    def __init__(self, ports: Iterable[int]) -> None:
        self.replicas = [Replica(port) for port in ports]
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Balancer:
        self._thread.start()
        self._listening.wait(10)
        return self

    def __exit__(self, *about: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def ready(self) -> int:
        """How many replicas take work."""
        return sum(replica.ready for replica in self.replicas)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        watching = [self._loop.create_task(self._watch(replica)) for replica in self.replicas]
        self._listening.set()
        self._loop.run_forever()
        for task in watching:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*watching, return_exceptions=True))
        server.close()

    async def _watch(self, replica: Replica) -> None:
        while True:
            replica.ready = await self._says_yes(replica)
            await asyncio.sleep(READY_EVERY_S)

    async def _says_yes(self, replica: Replica) -> bool:
        try:
            reader, writer = await _connect(replica)
            writer.write(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            line = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
        except (OSError, asyncio.TimeoutError):
            return False
        return b" 200 " in line

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            name = _ID.search(head)
            await self._hand_on(head + body, name[1].decode() if name else "", writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            writer.close()

    async def _hand_on(self, request: bytes, name: str, client: asyncio.StreamWriter) -> None:
        tried: list[Replica] = []
        while left := [r for r in self.replicas if r.ready and r not in tried]:
            replica = min(left, key=lambda one: one.under_way)
            tried.append(replica)
            try:
                reader, writer = await _connect(replica)
            except (OSError, asyncio.TimeoutError):
                replica.ready = False
                continue  # nothing was begun
            replica.under_way += 1
            replica.served.append(name)
            try:
                begun = await _answer(reader, writer, request, client)
            finally:
                replica.under_way -= 1
                writer.close()
            if not begun:
                await _refuse(client, 502)
            return
        await _refuse(client, 503)


async def _connect(replica: Replica) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", replica.port), CONNECT_S)


async def _answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    client: asyncio.StreamWriter,
) -> bool:
    """Passes the answer on; whether any of it came. A broken one breaks the client's connection."""
    begun = False
    try:
        writer.write(request)
        await writer.drain()
        while piece := await reader.read(65_536):
            begun = True
            client.write(piece)
            await client.drain()
    except OSError:
        if begun:
            client.transport.abort()
    return begun


async def _refuse(client: asyncio.StreamWriter, status: int) -> None:
    body = json.dumps(_TOLD).encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    client.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await client.drain()
