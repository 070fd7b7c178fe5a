"""Two replicas of the API behind a balancer, against one; one is killed, one is drained.

`python bench/replicas.py [--requests 24] [--clients 6]` starts two studios, each on a core of its
own and with one thread, `bench.small_balancer` before them (no balancer is at hand here), and the
clients of `bench/speech_clients.py` by locust. It prints JSON and ends with 1 where a request was
lost:

- **throughput**: seconds of speech a second with one replica and with two, their ratio; and, for
  a machine that others use as well, seconds of speech a second of processor time: where that stays
  the same, two replicas on free cores carry twice as much;
- **kill**: SIGKILL for one replica in the middle. What was under way in it is a 502 or breaks off;
  every other request has to be answered whole, and a 502 has to say why in words;
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
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.running_studio import APP, await_health
from bench.small_balancer import Balancer
from modules.core_components.settings import MODELS_FOLDER_VARIABLE

CLIENTS = Path(__file__).with_name("speech_clients.py")
DRAIN_S = 60
# As the clients call what became of a request.
WHOLE, FAILED, BROKEN = "whole", "502", "broken off"


@dataclass
class Answers:
    """What the clients saw, by the ids of their requests, and what locust counted."""

    outcomes: dict[str, str] = field(default_factory=dict)
    spoken_s: float = 0.0
    first_audio_s: list[float] = field(default_factory=list)
    asked_again: int = 0
    counted: dict[str, int] = field(default_factory=dict)

    def ids(self, outcome: str) -> set[str]:
        return {name for name, found in self.outcomes.items() if found == outcome}


@dataclass(frozen=True)
class Load:
    """So many requests, by so many clients of locust, which this command starts."""

    locust: list[str]
    requests: int
    clients: int


def ask(
    balancer: Balancer, load: Load, in_the_middle: Callable[[], None] = lambda: None
) -> tuple[Answers, float]:
    """Has the clients send their requests; the answers, and the seconds from the first to the last.

    `in_the_middle` is called when half are sent.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "answers.jsonl"
        locust = subprocess.Popen(
            [
                *load.locust,
                *f"--headless --users {load.clients} --spawn-rate {load.clients} --json".split(),
                *("--exit-code-on-error", "0", "--host", f"http://127.0.0.1:{balancer.port}"),
                *("-f", str(CLIENTS)),
            ],
            env={
                **os.environ,
                "SPEECH_REQUESTS": str(load.requests),
                "SPEECH_ANSWERS": str(written),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        while locust.poll() is None and _sent(balancer) < load.requests // 2:
            time.sleep(0.01)
        in_the_middle()
        said, _ = locust.communicate()
        lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
        (counted,) = json.loads(said)
    seconds = max(line["ended_s"] for line in lines) - min(line["begun_s"] for line in lines)
    return _gather(lines, counted), seconds


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


def _sent(balancer: Balancer) -> int:
    return sum(len(one.served) for one in balancer.replicas)


def _gather(lines: list[dict[str, Any]], counted: dict[str, Any]) -> Answers:
    whole = [line for line in lines if line["outcome"] == WHOLE]
    return Answers(
        {line["id"]: line["outcome"] for line in lines},
        sum(line["spoken_s"] for line in whole),
        [line["first_s"] for line in whole],
        sum(line["asked_again"] for line in lines),
        {name: counted[name] for name in ("num_requests", "num_failures")},
    )


def warm_up(port: int) -> None:
    """Loads the model, and speaks some sentences."""
    for number in range(4):
        body = {
            "input": f"This is sentence number {number}.",
            "voice": "af_heart",
            "response_format": "pcm",
        }
        httpx.post(f"http://127.0.0.1:{port}/v1/audio/speech", json=body, timeout=300)


def cpu_seconds(replicas: list[tuple[int, subprocess.Popen[bytes]]]) -> float:
    """The seconds of processor time that they have used."""
    times = [psutil.Process(process.pid).cpu_times() for _, process in replicas]
    return sum(one.user + one.system for one in times)


def figures(answers: Answers, seconds: float) -> dict[str, Any]:
    first = sorted(answers.first_audio_s)
    return {
        "seconds": round(seconds, 1),
        "speech_seconds_a_second": round(answers.spoken_s / seconds, 2),
        "requests_a_second": round(len(answers.outcomes) / seconds, 2),
        "first_audio_s_median": round(first[len(first) // 2], 2) if first else None,
        "answers": dict(Counter(answers.outcomes.values())),
        "asked_again": answers.asked_again,
        "locust": answers.counted,
    }


def await_ready(balancer: Balancer, count: int) -> None:
    while balancer.ready != count:
        time.sleep(0.05)


def measure(load: Load) -> tuple[dict[str, Any], list[str]]:
    """The figures, and what was lost."""
    found: dict[str, Any] = {
        "load_average": os.getloadavg(),
        "cores": len(os.sched_getaffinity(0)),
        "requests": load.requests,
        "clients": load.clients,
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
                before_s = cpu_seconds(opened[: len(behind)])
                answers, seconds = ask(balancer, load)
                used_s = cpu_seconds(opened[: len(behind)]) - before_s
                found[name] = figures(answers, seconds)
                found[name]["speech_seconds_a_cpu_second"] = round(answers.spoken_s / used_s, 3)
                lost += [f"{name}: {o}" for o in answers.outcomes.values() if o != WHOLE]
                found[name]["by_replica"] = [len(one.served) for one in balancer.replicas]
        rates = [found[name]["speech_seconds_a_second"] for name in ("one", "two")]
        found["throughput_ratio"] = round(rates[1] / rates[0], 2)
        efficient = [found[name]["speech_seconds_a_cpu_second"] for name in ("one", "two")]
        found["ratio_on_free_cores"] = round(2 * efficient[1] / efficient[0], 2)
        with Balancer(ports) as balancer:
            await_ready(balancer, 2)
            found["kill"] = _kill(balancer, opened[1][1], load, lost)
        # Another one in its place, for the drain.
        port, process = stack.enter_context(replica(folder / "2", 1 % cores))
        warm_up(port)
        with Balancer([ports[0], port]) as balancer:
            await_ready(balancer, 2)
            found["drain"] = _drain(balancer, process, load, lost)
    return found, lost


def _kill(
    balancer: Balancer, process: subprocess.Popen[bytes], load: Load, lost: list[str]
) -> dict[str, Any]:
    answers, seconds = ask(balancer, load, lambda: process.send_signal(signal.SIGKILL))
    report = figures(answers, seconds)
    in_it = set(balancer.replicas[1].served)
    failed = {name for name, outcome in answers.outcomes.items() if outcome != WHOLE}
    lost += [f"kill, elsewhere: {answers.outcomes[name]}" for name in failed - in_it]
    unclear = failed - answers.ids(FAILED) - answers.ids(BROKEN)
    lost += [f"kill, unclear: {answers.outcomes[name]}" for name in unclear]
    if len(answers.outcomes) < load.requests:
        lost.append(f"kill, never answered: {load.requests - len(answers.outcomes)}")
    return {**report, "under_way_in_it": len(failed & in_it), "lost_elsewhere": len(failed - in_it)}


def _drain(
    balancer: Balancer, process: subprocess.Popen[bytes], load: Load, lost: list[str]
) -> dict[str, Any]:
    answers, seconds = ask(balancer, load, lambda: process.send_signal(signal.SIGTERM))
    lost += [f"drain: {o}" for o in answers.outcomes.values() if o != WHOLE]
    return {**figures(answers, seconds), "exit_code": process.wait(DRAIN_S + 10)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--locust", default=f"{sys.executable} -m locust", help="its command")
    given = parser.parse_args()
    found, lost = measure(Load(given.locust.split(), given.requests, given.clients))
    print(json.dumps({**found, "lost": lost}, indent=2))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
