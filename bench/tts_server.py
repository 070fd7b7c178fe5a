"""How fast this machine speaks over HTTP: what a listener waits for, and what it costs.

`python bench/tts_server.py` starts the studio on an empty folder (its models must be there) and
prints a markdown table and, with `--json FILE`, every figure. Leave the machine alone meanwhile:
other work on its cores shows in every line. The texts have 12, 61 and 295 words.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import running_studio, seconds_until_idle

RATE_HZ = 24_000
SHORT = "The train to the coast leaves at noon, so please be early."
MIDDLE = (
    "Thank you for calling the garden center. Our shop is open every day from morning until early "
    "evening. If you want to order fresh flowers for a wedding, please leave your name and your "
    "phone number after the tone. One of our staff will call you back before the end of the day. "
    "We look forward to helping you very soon."
)
LONG = (Path(__file__).parent / "lighthouse.txt").read_text(encoding="utf-8").strip()
TEXTS = {"12 words": SHORT, "61 words": MIDDLE, "295 words": LONG}
MEMORY_WORDS = (3, 12, 40, 90, 150, 20, 60, 7, 220, 30)
HEALTH_EVERY_S = 0.25


@dataclass(frozen=True)
class Heard:
    """One request: seconds until the first sound, until the end, and the least head start that a
    player needs to never run dry; `audio_s` is how long the speech lasts."""

    status: int
    first_s: float
    total_s: float
    head_start_s: float
    audio_s: float


class Server:
    """A server with OpenAI's speech route."""

    def __init__(self, url: str, pid: int, model: str, voice: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=600)
        self.process = psutil.Process(pid)
        self._names = {"model": model, "voice": voice}

    def body(self, text: str, **more: Any) -> dict[str, Any]:
        return {**self._names, "input": text, "response_format": "pcm", **more}

    def stream(self, text: str) -> Heard:
        """Speaks `text` and listens to all of it, on a connection of its own."""
        with httpx.Client(base_url=self.http.base_url, timeout=600) as http:
            start = time.monotonic()
            first, head_start, heard = 0.0, 0.0, 0.0
            body = self.body(text, stream=True)
            with http.stream("POST", "/v1/audio/speech", json=body) as answer:
                for piece in answer.iter_raw():
                    now = time.monotonic() - start
                    first = first or now
                    head_start = max(head_start, now - heard)
                    heard += len(piece) / 2 / RATE_HZ
            return Heard(answer.status_code, first, time.monotonic() - start, head_start, heard)

    def whole(self, text: str) -> Heard:
        """Speaks `text` into a finished wav file."""
        start = time.monotonic()
        body = self.body(text, stream=False, response_format="wav")
        answer = self.http.post("/v1/audio/speech", json=body)
        took = time.monotonic() - start
        return Heard(answer.status_code, took, took, took, (len(answer.content) - 44) / 2 / RATE_HZ)

    def rss_mb(self) -> int:
        return round(self.process.memory_info().rss / 2**20)


@contextmanager
def health_watched(server: Server) -> Iterator[list[float]]:
    """Asks /health every quarter of a second, whether the last answer came or not."""
    waits: list[float] = []
    over = threading.Event()
    asking: list[threading.Thread] = []

    def ask() -> None:
        start = time.monotonic()
        httpx.get(f"{server.http.base_url}/health", timeout=60).raise_for_status()
        waits.append(time.monotonic() - start)

    def watch() -> None:
        while not over.wait(HEALTH_EVERY_S):
            asking.append(threading.Thread(target=ask))
            asking[-1].start()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield waits
    finally:
        over.set()
        watcher.join()
        for thread in asking:
            thread.join()


def middle(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)


def memory(server: Server) -> dict[str, Any]:
    """MB resident before anything was spoken, and after 10 and 30 texts of different lengths."""
    words = LONG.split()
    found = {"0": server.rss_mb()}
    for number in range(30):
        count, start = MEMORY_WORDS[number % 10], number * 17 % 60
        text = " ".join(words[start : start + count])
        (server.stream if number % 3 else server.whole)(text)
        if number + 1 in (10, 30):
            found[str(number + 1)] = server.rss_mb()
    return {"resident memory after 0, 10, 30 requests, MB": found}


def alone(server: Server, repeats: int) -> dict[str, Any]:
    """One client, streamed and whole, the lengths taking turns."""
    streamed: dict[str, list[Heard]] = {name: [] for name in TEXTS}
    whole: dict[str, list[Heard]] = {name: [] for name in TEXTS}
    for _ in range(repeats):
        for name, text in TEXTS.items():
            streamed[name].append(server.stream(text))
            whole[name].append(server.whole(text))
    return {
        "first sound, s": {n: middle([h.first_s for h in all_]) for n, all_ in streamed.items()},
        "head start a player needs, s": {
            n: middle([h.head_start_s for h in all_]) for n, all_ in streamed.items()
        },
        "streamed, seconds of speech a second": {
            n: middle([h.audio_s / h.total_s for h in all_]) for n, all_ in streamed.items()
        },
        "whole, seconds of speech a second": {
            n: middle([h.audio_s / h.total_s for h in all_]) for n, all_ in whole.items()
        },
    }


def together(server: Server, rounds: int) -> dict[str, Any]:
    """1, 2 and 4 clients at once with 61 words each, and how long /health waits meanwhile."""
    worst_first, speech_a_second, health = {}, {}, {}
    for clients in (1, 2, 4):
        firsts, rates, waits = [], [], []
        for _ in range(rounds):
            start = time.monotonic()
            with health_watched(server) as seen, ThreadPoolExecutor(clients) as pool:
                heard = list(pool.map(server.stream, [MIDDLE] * clients))
            took = time.monotonic() - start
            firsts.append(max(one.first_s for one in heard))
            rates.append(sum(one.audio_s for one in heard) / took)
            waits += seen
        worst_first[str(clients)] = middle(firsts)
        speech_a_second[str(clients)] = middle(rates)
        health[str(clients)] = [round(f(waits) * 1000, 1) for f in (statistics.median, max)]
    return {
        "clients: first sound of the last of them, s": worst_first,
        "clients: seconds of speech a second": speech_a_second,
        "clients: /health median and worst, ms": health,
    }


def left_alone(server: Server, repeats: int) -> dict[str, Any]:
    """How long it goes on for a client that left, streaming and waiting for a file."""
    streamed, whole = [], []
    for _ in range(repeats):
        with server.http.stream(
            "POST", "/v1/audio/speech", json=server.body(LONG, stream=True)
        ) as answer:
            next(answer.iter_raw())
        streamed.append(seconds_until_idle(server.http))
        try:
            body = server.body(LONG, stream=False)
            server.http.post("/v1/audio/speech", json=body, timeout=httpx.Timeout(60, read=1.0))
        except httpx.ReadTimeout:
            whole.append(seconds_until_idle(server.http))
    return {
        "works on after the client left, worst, s": {
            "streamed": round(max(streamed), 2),
            "whole": round(max(whole, default=0.0), 2),
        }
    }


def refused(server: Server) -> dict[str, Any]:
    """What is answered to texts that cannot be spoken."""
    bad = {"empty": "", "spaces": "  \n ", "marks": "... !!! ???", "100,000 characters": LONG * 66}
    return {
        "status": {
            f"{name}, {'streamed' if stream else 'whole'}": server.http.post(
                "/v1/audio/speech", json=server.body(text[:100_000], stream=stream)
            ).status_code
            for name, text in bad.items()
            for stream in (True, False)
        }
    }


def cold(model: str, voice: str, repeats: int) -> dict[str, Any]:
    """From the start of the process to /health and to the first sound of 12 words."""
    health, sound = [], []
    for _ in range(repeats):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, running_studio(Path(folder)) as (url, pid):
            health.append(time.monotonic() - start)
            heard = Server(url, pid, model, voice).stream(SHORT)
            sound.append(time.monotonic() - start - heard.total_s + heard.first_s)
    return {"start to /health, to the first sound, s": [middle(health), middle(sound)]}


def as_table(found: dict[str, Any]) -> str:
    lines = ["| measured | |", "|---|---|"]
    for name, value in found.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        shown = "; ".join(f"{key}: {one}" if key else str(one) for key, one in pairs)
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="kokoro-v1.0")
    parser.add_argument("--voice", default="af_heart")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = cold(given.model, given.voice, min(3, given.repeats))
    with tempfile.TemporaryDirectory() as folder, running_studio(Path(folder)) as (url, pid):
        server = Server(url, pid, given.model, given.voice)
        measures: tuple[Callable[[], dict[str, Any]], ...] = (
            lambda: memory(server),
            lambda: alone(server, given.repeats),
            lambda: together(server, 3),
            lambda: left_alone(server, 3),
            lambda: refused(server),
        )
        for measure in measures:
            found |= measure()
    sys.stdout.write(as_table(found) + "\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
