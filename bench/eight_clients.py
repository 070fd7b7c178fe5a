"""Eight clients at once for some minutes: how a server with this API takes rough treatment.

`python bench/eight_clients.py [--minutes 10]` starts the studio itself; `--url` and `--pid` take
one that runs already. Some clients take whole files, some streams, some transcriptions; some leave
in the middle, some send rubbish. It prints JSON, and ends with 1 when something was found:

- an answer other than the expected ones (429 with Retry-After is expected: there are many clients),
- memory that still grows after the warm-up,
- computing that goes on for more than one chunk after the last client left.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import running_studio, seconds_until_idle

CLIENTS = 8
SENTENCES = (
    "The harbour was quiet before dawn.",
    "A single lamp burned above the customs house, and the fishermen were mending their nets.",
    "Nobody spoke of the storm, which had passed in the night and left the water smooth as glass.",
    "By noon the market was full of voices, baskets, dogs and children.",
)
RUBBISH: tuple[dict[str, Any], ...] = (
    {"content": b"{", "headers": {"content-type": "application/json"}},
    {"content": b"\xff\xfe\x00", "headers": {"content-type": "application/json"}},
    {"json": {"input": "", "voice": "af_heart"}},
    {"json": {"input": "One.", "voice": "nobody"}},
    {"json": {"input": "One.", "model": "nonsense-9"}},
    {"json": {"input": "One.", "speed": 99}},
    {"json": {"input": "a" * 100_000}},
    {"json": ["no", "object"]},
)
REFUSED = (400, 404, 413)
WARM_UP = 0.3  # of the time; what is cached at all is cached by then
MOST_GROWTH = 0.05
LEAVE_GRACE_S = 0.5  # for the connection to be seen closed


@dataclass
class Report:
    """What all clients saw; appended to from many threads."""

    answers: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)

    def note(self, what: str, status: int, expected: tuple[int, ...]) -> None:
        self.answers[f"{what} {status}"] += 1
        if status not in expected:
            self.unexpected.append(f"{what}: {status}")


class Client:
    """One program that talks to the server until it is told to stop."""

    def __init__(self, url: str, number: int, voice: str, recording: bytes, report: Report) -> None:
        self._http = httpx.Client(base_url=url, timeout=300)
        self._random = random.Random(number)
        self._voice = voice
        self._recording = recording
        self._report = report
        kinds = (self._whole, self._stream, self._captions, self._listen, self._listen_live)
        rough = (self._leave_stream, self._leave_whole, self._send_rubbish)
        self._doings: tuple[Callable[[], None], ...] = kinds + rough

    def run(self, until: Callable[[], bool]) -> None:
        while not until():
            doing = self._random.choice(self._doings)
            try:
                doing()
            except httpx.HTTPError as error:
                self._report.unexpected.append(f"{doing.__name__}: {type(error).__name__} {error}")
        self._http.close()

    def _text(self) -> str:
        return " ".join(self._random.choices(SENTENCES, k=self._random.randint(1, 4)))

    def _body(self, **changes: Any) -> dict[str, Any]:
        fmt = self._random.choice(("mp3", "opus", "aac", "flac", "wav", "pcm"))
        body = {"input": self._text(), "voice": self._voice, "response_format": fmt}
        return {**body, **changes}

    def _note(self, what: str, answer: httpx.Response, expected: tuple[int, ...] = (200,)) -> None:
        self._report.note(what, answer.status_code, (*expected, 429))
        if answer.status_code == 429:
            if "retry-after" not in answer.headers:
                self._report.unexpected.append("429 without Retry-After")
            time.sleep(self._random.uniform(0.1, 1.0))

    def _whole(self) -> None:
        self._note("whole", self._http.post("/v1/audio/speech", json=self._body(stream=False)))

    def _stream(self) -> None:
        body = self._body(stream=True)
        with self._http.stream("POST", "/v1/audio/speech", json=body) as answer:
            length = sum(map(len, answer.iter_bytes()))
            self._note("stream", answer)
        if answer.status_code == 200 and length < 1000:
            self._report.unexpected.append(f"stream of {length} bytes")

    def _captions(self) -> None:
        answer = self._http.post("/dev/captioned_speech", json=self._body())
        self._note("captions", answer)
        if answer.status_code == 200 and b'"error"' in answer.content:
            self._report.unexpected.append(f"captions: {answer.text.splitlines()[-1]}")

    def _listen(self, **form: str) -> None:
        files = {"file": ("a.wav", self._recording)}
        answer = self._http.post("/v1/audio/transcriptions", files=files, data=form)
        self._note(" ".join(["listen", *form]), answer)

    def _listen_live(self) -> None:
        self._listen(stream="true")

    def _leave_stream(self) -> None:
        body = self._body(stream=True, input=" ".join(SENTENCES * 4))
        with self._http.stream("POST", "/v1/audio/speech", json=body) as answer:
            self._note("left stream", answer)
            if answer.status_code == 200:
                next(answer.iter_raw(), b"")

    def _leave_whole(self) -> None:
        timeout = httpx.Timeout(300, read=self._random.uniform(0.2, 2.0))
        body = self._body(stream=False, input=" ".join(SENTENCES * 4))
        try:
            answer = self._http.post("/v1/audio/speech", json=body, timeout=timeout)
            self._note("left whole", answer)
        except httpx.ReadTimeout:
            self._report.answers["left whole, in time"] += 1

    def _send_rubbish(self) -> None:
        rubbish = self._random.choice(RUBBISH)
        self._note("rubbish", self._http.post("/v1/audio/speech", **rubbish), REFUSED)


def watch(url: str, process: psutil.Process, report: Report, until: Callable[[], bool]) -> None:
    """Asks /health and looks at the memory once a second."""
    with httpx.Client(base_url=url, timeout=60) as http:
        while not until():
            start = time.monotonic()
            http.get("/health").raise_for_status()
            report.health_s.append(time.monotonic() - start)
            report.rss_mb.append(process.memory_info().rss / 1e6)
            time.sleep(1.0)


def growth(rss_mb: list[float]) -> float:
    """How much more memory the last third takes than the first third after the warm-up."""
    settled = rss_mb[int(len(rss_mb) * WARM_UP) :]
    third = max(1, len(settled) // 3)
    return statistics.median(settled[-third:]) / statistics.median(settled[:third]) - 1


def longest_chunk_s(http: httpx.Client, body: dict[str, Any]) -> float:
    """The longest wait for a piece of a stream that is read to its end."""
    gaps, last = [], time.monotonic()
    with http.stream("POST", "/v1/audio/speech", json=body) as answer:
        for _ in answer.iter_raw():
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
    return max(gaps)


def leaving(url: str, process: psutil.Process, voice: str) -> dict[str, Any]:
    """How long the server goes on working for a client that has left, alone with it."""
    text = " ".join(SENTENCES * 2)
    body = {"input": text, "voice": voice, "response_format": "pcm", "stream": True}
    with httpx.Client(base_url=url, timeout=300) as http:
        seconds_until_idle(http)
        chunk_s = longest_chunk_s(http, body)
        with http.stream("POST", "/v1/audio/speech", json=body) as answer:
            next(answer.iter_raw())
        stream_s = seconds_until_idle(http)
        try:
            whole = {**body, "stream": False}
            http.post("/v1/audio/speech", json=whole, timeout=httpx.Timeout(300, read=chunk_s))
        except httpx.ReadTimeout:
            pass
        whole_s = seconds_until_idle(http)
    process.cpu_percent()
    idle_percent = process.cpu_percent(interval=2.0)
    return {
        "longest_chunk_s": round(chunk_s, 3),
        "after_a_stream_s": round(stream_s, 3),
        "after_a_whole_file_s": round(whole_s, 3),
        "cpu_percent_afterwards": idle_percent,
        "stops": max(stream_s, whole_s) <= chunk_s + LEAVE_GRACE_S and idle_percent < 25,
    }


def measure(url: str, pid: int, minutes: float, voice: str) -> dict[str, Any]:
    """The whole run; see the head of this file for what is checked."""
    process, report = psutil.Process(pid), Report()
    first = {"input": SENTENCES[1], "voice": voice, "response_format": "wav"}
    spoken = httpx.post(f"{url}/v1/audio/speech", json=first, timeout=300).raise_for_status()
    end = time.monotonic() + minutes * 60

    def over() -> bool:
        return time.monotonic() > end

    threads = [threading.Thread(target=watch, args=(url, process, report, over))]
    for number in range(CLIENTS):
        client = Client(url, number, voice, spoken.content, report)
        threads.append(threading.Thread(target=client.run, args=(over,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = leaving(url, process, voice)
    grown = growth(report.rss_mb)
    step = max(1, len(report.rss_mb) // 60)
    return {
        "minutes": minutes,
        "clients": CLIENTS,
        "answers": dict(sorted(report.answers.items())),
        "unexpected": report.unexpected,
        "health_ms": {
            "median": round(statistics.median(report.health_s) * 1000, 1),
            "worst": round(max(report.health_s) * 1000, 1),
        },
        "rss_mb": [round(value) for value in report.rss_mb[::step]],
        "growth_after_warm_up": round(grown, 4),
        "leaving": left,
        "passed": not report.unexpected and grown <= MOST_GROWTH and left["stops"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--voice", default="af_heart")
    parser.add_argument("--url", help="a server that runs already, without /v1")
    parser.add_argument("--pid", type=int, help="its process id")
    given = parser.parse_args()
    if given.url and given.pid:
        found = measure(given.url, given.pid, given.minutes, given.voice)
    elif given.url or given.pid:
        parser.error("--url and --pid belong together")
    else:
        with tempfile.TemporaryDirectory() as folder, running_studio(Path(folder)) as (url, pid):
            found = measure(url, pid, given.minutes, given.voice)
    print(json.dumps(found, indent=2))
    sys.exit(0 if found["passed"] else 1)


if __name__ == "__main__":
    main()
