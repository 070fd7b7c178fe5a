"""A Hugging Face hub on 127.0.0.1: the listing, the files, ranges, and the ways they fail."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

REPOSITORY = "someone/some-model"
COMMIT = "c" * 40


@dataclass
class FakeHub:
    """`large` files are listed with their SHA-256, as the hub does for LFS files.

    `sent` are files whose bytes are not those that are listed.
    `cut_after`: the next answers send so many bytes and break the connection, one entry each.
    `hold`: while it is cleared, an answer stops after its first bytes until it is set.
    `gated`: repositories whose files only accounts that accepted their terms get; `known` are the
    tokens of all accounts, `accepted` those of these. An unknown token is refused everything
    there; without a gated repository no token is checked.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)
    sent: dict[str, bytes] = field(default_factory=dict)
    commit: str = COMMIT
    cut_after: list[int] = field(default_factory=list)
    listing_status: int = 200
    gated: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    endpoint: str = ""
    ranges: list[str | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)

    def refusal(self, path: str, authorization: str | None) -> int | None:
        """The status with which a request is refused; None where it is answered."""
        token = (authorization or "").removeprefix("Bearer ")
        if self.gated and token and token not in self.known | self.accepted:
            return 401
        # As on the real hub, the listing of a gated repository is open.
        if not any(path.startswith(f"/{repository}/resolve/") for repository in self.gated):
            return None
        if not token:
            return 401
        return None if token in self.accepted else 403

    def listing(self) -> bytes:
        siblings = []
        for name, content in self.files.items():
            item: dict[str, object] = {"rfilename": name, "size": len(content)}
            if name in self.large:
                item["lfs"] = {"sha256": sha256(content), "size": len(content)}
            siblings.append(item)
        return json.dumps({"sha": self.commit, "siblings": siblings}).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def running_hub(**about: object) -> Iterator[FakeHub]:
    hub = FakeHub(**about)  # type: ignore[arg-type]
    hub.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlparse(self.path).path
            hub.asked.append(path)
            refusal = hub.refusal(path, self.headers.get("Authorization"))
            if refusal is not None:
                self._send(refusal, b"")
                return
            if path.startswith("/api/models/"):
                self._send(hub.listing_status, hub.listing())
            else:
                self._file(path)

        def _file(self, path: str) -> None:
            name = path.split(f"/resolve/{hub.commit}/", 1)[-1]
            content = hub.sent.get(name, hub.files.get(name))
            if content is None:
                self._send(404, b"")
                return
            asked = self.headers.get("Range")
            hub.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if start >= len(content) > 0:
                self._send(416, b"")
                return
            self.send_response(206 if asked else 200)
            if asked:
                last = len(content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self._body(content[start:])

        def _body(self, content: bytes) -> None:
            if hub.cut_after:
                self.wfile.write(content[: hub.cut_after.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                return
            if not hub.hold.is_set():
                half = len(content) // 2
                self.wfile.write(content[:half])
                self.wfile.flush()
                hub.held.set()
                hub.hold.wait(120)
                content = content[half:]
            self.wfile.write(content)

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def handle(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # the client was killed
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        hub.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
