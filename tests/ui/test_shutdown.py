"""SIGTERM while somebody is being spoken to: the server ends, and waits for no chunk."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.helpers.waiting import eventually

SERVER = """
import sys, time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modules.api.app import create_api
from modules.core_components.values import Speech
from modules.ui.server import listening_socket, serve
from tests.helpers.fakes import fake_studio

def endless(*_: object) -> Iterator[Speech]:
    yield Speech(np.zeros(16_000, np.float32), 16_000)
    print("speaking", flush=True)
    time.sleep(600)  # a chunk that looks at no token

services, engine = fake_studio(Path(sys.argv[1]))
engine.stream = endless
listener = listening_socket("127.0.0.1", 0)
address = f"http://127.0.0.1:{listener.getsockname()[1]}"
serve(create_api(services), listener, lambda: print(address, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_sigterm_ends_the_server_while_it_speaks(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert re.fullmatch(r"http://[\d.]+:\d+", address)
        clients = [
            threading.Thread(target=speak, args=(address, stream)) for stream in (True, False)
        ]
        for client in clients:
            client.start()
            assert server.stdout.readline() == "speaking\n"
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) != 0
        for client in clients:
            client.join(10)
            assert not client.is_alive()
    finally:
        server.kill()


DRAINING = """
import sys, time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modules.api.app import create_api
from modules.api.traffic import Traffic
from modules.core_components.values import Speech
from modules.ui.server import listening_socket, serve
from tests.helpers.fakes import fake_studio

root = Path(sys.argv[1])

def waiting(*_: object) -> Iterator[Speech]:
    yield Speech(np.zeros(16_000, np.float32), 16_000)
    print("speaking", flush=True)
    while not (root / "go").exists():
        time.sleep(0.01)
    yield Speech(np.zeros(16_000, np.float32), 16_000)

services, engine = fake_studio(root)
engine.stream = waiting
traffic = Traffic()
listener = listening_socket("127.0.0.1", 0)
address = f"http://127.0.0.1:{listener.getsockname()[1]}"
app = create_api(services, traffic=traffic)
serve(app, listener, lambda: print(address, flush=True), traffic, 30)
services.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_a_server_that_drains_ends_what_it_began_and_takes_nothing_new(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", DRAINING, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        answers: list[httpx.Response] = []
        body = {"input": "one two", "voice": "high", "response_format": "pcm"}

        def ask() -> httpx.Response:
            return httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60)

        client = threading.Thread(target=lambda: answers.append(ask()))
        client.start()
        assert server.stdout.readline() == "speaking\n"
        server.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"{address}/ready").status_code == 503)
        assert ask().status_code == 503
        assert httpx.get(f"{address}/health").status_code == 200
        (tmp_path / "go").touch()
        client.join(30)
        assert [(one.status_code, len(one.content)) for one in answers] == [(200, 2 * 2 * 24_000)]
        assert server.wait(30) == 0
    finally:
        server.kill()


def speak(address: str, stream: bool) -> None:
    body = {"input": "one two", "voice": "high", "response_format": "pcm", "stream": stream}
    try:
        answer = httpx.post(f"{address}/v1/audio/speech", json=body, timeout=60)
    except httpx.HTTPError:
        return
    assert answer.status_code >= 500
