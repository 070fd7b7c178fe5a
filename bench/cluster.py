"""Transcribing many clips by Ray: what it costs, and that nothing is lost when workers are killed.

    python bench/cluster.py [--clips 200] [--workers 2] [--model whisper-tiny.en]
    python bench/cluster.py --nodes [--clips 60]

First the clips are transcribed in one process, then by workers of a local Ray, then by workers of
which one is killed (SIGKILL) in the middle. Printed are the seconds of each, with and without the
start of Ray and its workers, the ratio to the one process, whether all texts are there once, in
order and the same, and the seconds of a second run, which has nothing to do.

With `--nodes` a cluster of three nodes runs on this machine (a head that does no work, and two that
do), each with a folder of its own; one node is killed after a third of the clips and comes back
after two thirds.

The clips are espeak's: the figures are about the work around the model, not about its ears.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app import prepare_environment

prepare_environment()

import psutil  # noqa: E402

from modules.core_components.audio.files import write_speech  # noqa: E402
from modules.tools.listening import transcribe_many as many  # noqa: E402
from modules.tools.listening.transcribe import TranscribeRequest  # noqa: E402
from modules.tools.services import Services, open_services  # noqa: E402
from modules.tools.work.executor import LOCAL, Executor, LocalExecutor, Outcome, Work, WorkItem  # noqa: E402
from modules.tools.work.ray_executor import RayExecutor  # noqa: E402
from tests.helpers.espeak import espeak  # noqa: E402

THINGS = ("lamp", "boat", "garden", "letter", "window", "mountain", "kitchen", "river")
PLACES = ("above the house", "near the old bridge", "behind the school", "in the next village")
_RAY = str(Path(sys.executable).parent / "ray")
_PORT = 6481


@dataclass
class Watch:
    """An executor that notes when each item is done, and calls `at[n]` after the n-th."""

    executor: Executor
    at: dict[int, Callable[[], None]] = field(default_factory=dict)
    done: list[tuple[float, str]] = field(default_factory=list)
    label: str = ""

    def run(self, work: Work, *rest: object) -> Outcome:
        def on_item(item: WorkItem, fraction: float, message: str) -> None:
            if fraction == 1.0 and (not self.done or self.done[-1][1] != item.name):
                self.done.append((time.monotonic(), item.name))
                self.at.get(len(self.done), lambda: None)()

        return self.executor.run(work, on_item=on_item)


@dataclass(frozen=True)
class Run:
    """Seconds of all, clips a second from the first to the last, and the texts in order."""

    seconds: float
    a_second: float
    texts: tuple[str, ...]

    def show(self, name: str, other: Run | None = None) -> None:
        ratio = ""
        if other is not None:
            ratio = f"; to one process: time {self.seconds / other.seconds:.2f}, "
            ratio += f"rate {self.a_second / other.a_second:.2f}"
        print(f"{name}: {self.seconds:.1f} s, {self.a_second:.2f} clips/s{ratio}", flush=True)


def transcribe(
    services: Services, watch: Watch, clips: Path, out: Path, model: str
) -> tuple[Run, many.Batch]:
    started = time.monotonic()
    recordings = many.find_recordings([clips])
    request = TranscribeRequest(Path(), model)
    batch = many.transcribe_many(services, watch, recordings, request, "txt", out)
    seconds = time.monotonic() - started
    assert not batch.failures, batch.failures[:3]
    assert [one.recording for one in batch.transcribed] == [path for path, _ in recordings]
    assert set(Counter(name for _, name in watch.done).values()) <= {1}, "an item was done twice"
    times = [moment for moment, _ in watch.done]
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
    texts = tuple(one.written.read_text(encoding="utf-8") for one in batch.transcribed)
    assert len(set(out.glob("*.txt"))) == len(recordings)
    return Run(seconds, rate, texts), batch


def make_clips(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        thing, place = THINGS[number % len(THINGS)], PLACES[number // 3 % len(PLACES)]
        write_speech(
            folder / f"{number:04}.wav", espeak(f"Clip {number}: there is a {thing} {place}.")
        )


def ray_workers() -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "ray::RayWorker" in " ".join(process.info["cmdline"] or [])
    ]


def measure_local_ray(services: Services, root: Path, workers: int, model: str) -> None:
    clips, count = root / "clips", len(list((root / "clips").iterdir()))
    alone, _ = transcribe(services, Watch(LocalExecutor(services)), clips, root / "alone", model)
    alone.show("one process")
    services.asr.unload_all()
    by_ray = RayExecutor(services, LOCAL, workers)
    quiet, _ = transcribe(services, Watch(by_ray), clips, root / "ray", model)
    quiet.show(f"Ray, {workers} workers", alone)
    kill = {count // 2: lambda: ray_workers()[0].kill()}
    killed, _ = transcribe(services, Watch(by_ray, kill), clips, root / "killed", model)
    killed.show("Ray, one worker killed in the middle", alone)
    for name, run in (("Ray", quiet), ("killed", killed)):
        same = sum(a == b for a, b in zip(run.texts, alone.texts, strict=True))
        print(f"{name}: {len(run.texts)} of {count} texts, {same} the same as of one process")
    again, batch = transcribe(services, Watch(by_ray), clips, root / "ray", model)
    assert all(one.was_there for one in batch.transcribed)
    print(f"second run: {again.seconds:.3f} s, {1000 * again.seconds / count:.2f} s for a thousand")


@contextmanager
def three_nodes(root: Path) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """A head that does no work; yields what starts a node of that number with one core."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    folder = Path(tempfile.mkdtemp(prefix="nodes-", dir="/tmp"))
    usual = "--block --node-ip-address=127.0.0.1 --disable-usage-stats --num-gpus=0"
    processes: list[subprocess.Popen[bytes]] = []

    def start(words: str) -> subprocess.Popen[bytes]:
        with (root / "ray.log").open("ab") as log:
            process = subprocess.Popen(
                [_RAY, "start", *usual.split(), *words.split()],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        processes.append(process)
        return process

    def start_node(number: int) -> subprocess.Popen[bytes]:
        return start(
            f"--address=127.0.0.1:{_PORT} --num-cpus=1 --object-store-memory=100000000 "
            f"--temp-dir={folder / str(number)}"
        )

    start(
        f"--head --port={_PORT} --num-cpus=0 --include-dashboard=false "
        f"--object-store-memory=100000000 --temp-dir={folder / 'head'}"
    )
    time.sleep(15)
    try:
        yield start_node
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def measure_nodes(services: Services, root: Path, model: str) -> None:
    clips, count = root / "clips", len(list((root / "clips").iterdir()))
    alone, _ = transcribe(services, Watch(LocalExecutor(services)), clips, root / "alone", model)
    alone.show("one process")
    services.asr.unload_all()
    began = time.monotonic()
    with three_nodes(root) as start_node:
        start_node(1)
        second = start_node(2)

        def say(what: str) -> None:
            print(f"  {time.monotonic() - began:.0f} s: {what}; workers: {len(ray_workers())}")

        def leave() -> None:
            say("before the node leaves")
            for process in psutil.Process(second.pid).children(recursive=True):
                process.kill()

        def come_back() -> None:
            say("before the node returns")
            start_node(2)

        at = {count // 3: leave, 2 * count // 3: come_back}
        at[count] = lambda: say("the last clip is done")
        executor = RayExecutor(services, f"127.0.0.1:{_PORT}", workers=2)
        run, _ = transcribe(services, Watch(executor, at), clips, root / "nodes", model)
        run.show("three nodes, one left and returned", alone)
        same = sum(a == b for a, b in zip(run.texts, alone.texts, strict=True))
        print(f"{len(run.texts)} of {count} texts, {same} the same as of one process")
        print(executor.state().nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="whisper-tiny.en")
    parser.add_argument("--nodes", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        root = Path(folder)
        make_clips(root / "clips", chosen.clips)
        services = open_services(root)
        if chosen.nodes:
            measure_nodes(services, root, chosen.model)
        else:
            measure_local_ray(services, root, chosen.workers, chosen.model)
        services.close()


if __name__ == "__main__":
    main()
