"""Two replicas of the API behind a balancer, against one; one is killed, one is drained.

`python bench/replicas.py [--requests 24] [--clients 6]` starts two studios, each on a core of its
own and with one thread, and `bench.small_balancer` before them (no balancer is at hand here). It
prints JSON and ends with 1 where a request was lost:

- **throughput**: seconds of speech a second with one replica and with two, and their ratio;
- **kill**: SIGKILL for one replica in the middle. What was under way in it is a 502 or breaks off;
  every other request has to be answered whole;
- **drain**: SIGTERM for one in the middle. Every request has to be answered whole; a client that is
  told 503 asks again, as OpenAI's do.

Sentences are short and the model is Kokoro. The clients and the balancer share the cores with the
replicas, so on two cores the ratio is below what more cores would give. `load_average` is that of
the machine before the run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import APP, await_health
from bench.small_balancer import Balancer
from modules.core_components.settings import MODELS_FOLDER_VARIABLE

SENTENCES = (
    "The harbour was quiet before dawn.",
    "A single lamp burned above the house.",
    "Nobody spoke of the storm.",
    "By noon the market was full of voices.",
)
RATE_HZ, DRAIN_S = 24_000, 60
WHOLE, FAILED, BROKEN, REFUSED = "whole", "502", "broken off", "refused"


@dataclass
class Answers:
    """What the clients saw, by the ids of their requests."""

    outcomes: dict[str, str] = field(default_factory=dict)
    spoken_s: float = 0.0
    first_audio_s: list[float] = field(default_factory=list)
    asked_again: int = 0

    def ids(self, outcome: str) -> set[str]:
        return {name for name, found in self.outcomes.items() if found == outcome}


class Clients:
    """So many clients that send requests one after the other until all are answered."""

    def __init__(self, port: int, requests: int) -> None:
        self.answers = Answers()
        self._url = f"http://127.0.0.1:{port}/v1/audio/speech"
        self._left = list(range(requests))
        self._lock = threading.Lock()

    def run(self, clients: int, in_the_middle: Callable[[], None] = lambda: None) -> float:
        """The seconds that it took; `in_the_middle` is called when half are sent."""
        half = len(self._left) // 2
        threads = [threading.Thread(target=self._work) for _ in range(clients)]
        begun_s = time.monotonic()
        for thread in threads:
            thread.start()
        while len(self._left) > half:
            time.sleep(0.01)
        in_the_middle()
        for thread in threads:
            thread.join()
        return time.monotonic() - begun_s

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._left:
                    return
                number = self._left.pop()
            name = uuid4().hex
            outcome = self._ask(name, number)
            with self._lock:
                self.answers.outcomes[name] = outcome

    def _ask(self, name: str, number: int) -> str:
        body = {
            "input": SENTENCES[number % len(SENTENCES)],
            "voice": "af_heart",
            "response_format": "pcm",
            "seed": number,
        }
        headers = {"X-Request-Id": name, "Connection": "close"}
        until = time.monotonic() + 120
        while time.monotonic() < until:
            begun_s, first_s, received = time.monotonic(), 0.0, 0
            try:
                with httpx.stream(
                    "POST", self._url, json=body, headers=headers, timeout=120
                ) as answer:
                    for piece in answer.iter_raw():
                        first_s = first_s or time.monotonic() - begun_s
                        received += len(piece)
            except httpx.TransportError:
                return BROKEN
            if answer.status_code in (429, 503):  # OpenAI's clients ask again by themselves
                with self._lock:
                    self.answers.asked_again += 1
                time.sleep(min(float(answer.headers.get("retry-after", 1)), 1.0))
                continue
            if answer.status_code == 502:
                return FAILED
            if answer.status_code != 200 or received < RATE_HZ:  # under half a second
                return f"{answer.status_code} with {received} bytes"
            with self._lock:
                self.answers.spoken_s += received / 2 / RATE_HZ
                self.answers.first_audio_s.append(first_s)
            return WHOLE
        return REFUSED


@contextmanager
def replica(root: Path, core: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A studio on one core; its port and its process."""
    root.mkdir()
    settings = {"torch_threads": 1, "first_steps": "never", "api_queue_length": 64}
    (root / "config.json").write_text(json.dumps(settings))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(APP), "--port", str(port), "--no-browser"]
    process = subprocess.Popen(
        [*command, "--drain", str(DRAIN_S), "--data-root", str(root)],
        env={MODELS_FOLDER_VARIABLE: str(APP.parent / "base_models"), **os.environ},
        stdout=subprocess.DEVNULL,
    )
    os.sched_setaffinity(process.pid, {sorted(os.sched_getaffinity(0))[core]})
    try:
        await_health(f"http://127.0.0.1:{port}")
        yield port, process
    finally:
        process.kill()
        process.wait(30)


def warm_up(port: int) -> None:
    """Loads the model and speaks each sentence once."""
    for sentence in SENTENCES:
        body = {"input": sentence, "voice": "af_heart", "response_format": "pcm"}
        httpx.post(f"http://127.0.0.1:{port}/v1/audio/speech", json=body, timeout=300)


def figures(answers: Answers, seconds: float) -> dict[str, Any]:
    first = sorted(answers.first_audio_s)
    return {
        "seconds": round(seconds, 1),
        "speech_seconds_a_second": round(answers.spoken_s / seconds, 2),
        "requests_a_second": round(len(answers.outcomes) / seconds, 2),
        "first_audio_s_median": round(first[len(first) // 2], 2) if first else None,
        "answers": dict(Counter(answers.outcomes.values())),
        "asked_again": answers.asked_again,
    }


def await_ready(balancer: Balancer, count: int) -> None:
    while balancer.ready != count:
        time.sleep(0.05)


def measure(requests: int, clients: int) -> tuple[dict[str, Any], list[str]]:
    """The figures, and what was lost."""
    found: dict[str, Any] = {
        "load_average": os.getloadavg(),
        "cores": len(os.sched_getaffinity(0)),
        "requests": requests,
        "clients": clients,
    }
    lost: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cores = len(os.sched_getaffinity(0))
        opened = [
            stack.enter_context(replica(folder / str(number), number % cores))
            for number in range(2)
        ]
        ports = [port for port, _ in opened]
        for port in ports:
            warm_up(port)
        for name, behind in (("one", ports[:1]), ("two", ports)):
            with Balancer(behind) as balancer:
                await_ready(balancer, len(behind))
                some = Clients(balancer.port, requests)
                seconds = some.run(clients)
                found[name] = figures(some.answers, seconds)
                lost += [f"{name}: {o}" for o in some.answers.outcomes.values() if o != WHOLE]
                found[name]["by_replica"] = [len(one.served) for one in balancer.replicas]
        rates = [found[name]["speech_seconds_a_second"] for name in ("one", "two")]
        found["throughput_ratio"] = round(rates[1] / rates[0], 2)
        with Balancer(ports) as balancer:
            await_ready(balancer, 2)
            found["kill"] = _kill(balancer, opened[1][1], requests, clients, lost)
        # Another one in its place, for the drain.
        port, process = stack.enter_context(replica(folder / "2", 1 % cores))
        warm_up(port)
        with Balancer([ports[0], port]) as balancer:
            await_ready(balancer, 2)
            found["drain"] = _drain(balancer, process, requests, clients, lost)
    return found, lost


def _kill(
    balancer: Balancer,
    process: subprocess.Popen[bytes],
    requests: int,
    clients: int,
    lost: list[str],
) -> dict[str, Any]:
    some = Clients(balancer.port, requests)
    seconds = some.run(clients, lambda: process.send_signal(signal.SIGKILL))
    report = figures(some.answers, seconds)
    in_it = set(balancer.replicas[1].served)
    failed = {name for name, outcome in some.answers.outcomes.items() if outcome != WHOLE}
    lost += [f"kill, elsewhere: {some.answers.outcomes[name]}" for name in failed - in_it]
    unclear = failed - some.answers.ids(FAILED) - some.answers.ids(BROKEN)
    lost += [f"kill, unclear: {some.answers.outcomes[name]}" for name in unclear]
    return {**report, "under_way_in_it": len(failed & in_it), "lost_elsewhere": len(failed - in_it)}


def _drain(
    balancer: Balancer,
    process: subprocess.Popen[bytes],
    requests: int,
    clients: int,
    lost: list[str],
) -> dict[str, Any]:
    some = Clients(balancer.port, requests)
    seconds = some.run(clients, lambda: process.send_signal(signal.SIGTERM))
    lost += [f"drain: {o}" for o in some.answers.outcomes.values() if o != WHOLE]
    return {**figures(some.answers, seconds), "exit_code": process.wait(DRAIN_S + 10)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--clients", type=int, default=6)
    given = parser.parse_args()
    found, lost = measure(given.requests, given.clients)
    print(json.dumps({**found, "lost": lost}, indent=2))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
