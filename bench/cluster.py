"""Many items by Ray: what it costs, and that nothing is lost when workers and nodes are killed.

    python bench/cluster.py [--items 200] [--workers 2] [--model whisper-tiny.en]
    python bench/cluster.py --nodes [clips|texts|dataset] [--items 60]

First the clips are transcribed in one process, then by workers of a local Ray, then by workers of
which one is killed (SIGKILL) in the middle. Printed are the seconds of each, with and without the
start of Ray and its workers, the ratio to the one process, whether all texts are there once, in
order and the same, and the seconds of a second run, which has nothing to do.

With `--nodes` a cluster of three nodes runs on this machine (a head that does no work, and two that
do), each with folders of its own for Ray and for the caches of its workers; one node is killed
(SIGKILL) after a third of the items and comes back after two thirds. Clips are transcribed, texts
spoken (by Kokoro), or the recordings of a dataset listened to before they are cut. Workers have one
thread each, and so has the one process that they are compared with: files have to be the same byte
for byte.

The clips are espeak's: the figures are about the work around the model, not about its ears.
"""

from __future__ import annotations

import argparse
import hashlib
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

import numpy as np  # noqa: E402
import psutil  # noqa: E402

from modules.core_components.ai_models import reset_managers  # noqa: E402
from modules.core_components.audio.files import write_speech  # noqa: E402
from modules.core_components.values import Speech  # noqa: E402
from modules.tools.dataset.build import DatasetRequest, build_dataset, create_dataset  # noqa: E402
from modules.tools.listening import transcribe_many as many  # noqa: E402
from modules.tools.listening.transcribe import TranscribeRequest  # noqa: E402
from modules.tools.services import Services, open_services  # noqa: E402
from modules.tools.speaking.request import SpeechRequest  # noqa: E402
from modules.tools.speaking.speak_many import NamedText, speak_many  # noqa: E402
from modules.tools.work.executor import LOCAL, Executor, LocalExecutor, Outcome, Work, WorkItem  # noqa: E402
from modules.tools.work.ray_executor import RayExecutor  # noqa: E402
from modules.tools.work.under_way import under_way  # noqa: E402
from tests.helpers.espeak import espeak  # noqa: E402

THINGS = ("lamp", "boat", "garden", "letter", "window", "mountain", "kitchen", "river")
VOICE = "af_heart"
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
    has_several_workers: bool = True
    helps_a_single_item: bool = True

    @property
    def a_second(self) -> float:
        """Items a second from the first to the last."""
        times = [moment for moment, _ in self.done]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0

    def require_each_once(self) -> None:
        twice = [
            name for name, count in Counter(name for _, name in self.done).items() if count > 1
        ]
        assert not twice, f"done twice: {twice}"

    def run(self, work: Work, *rest: object) -> Outcome:
        def on_item(item: WorkItem, fraction: float, message: str) -> None:
            if message == "Done":  # once an item; a worker says 1.0 before its result is written
                self.done.append((time.monotonic(), item.name))
                self.at.get(len(self.done), lambda: None)()

        return self.executor.run(work, on_item=on_item)


@dataclass(frozen=True)
class Run:
    """Seconds of all, items a second from the first to the last, and the results in order: texts,
    or hashes of recordings."""

    seconds: float
    a_second: float
    results: tuple[str, ...]

    def show(self, name: str, other: Run | None = None) -> None:
        ratio = ""
        if other is not None:
            ratio = f"; to one process: time {self.seconds / other.seconds:.2f}, "
            # A dataset built by one process is listened to and cut in turns: it has no such rate.
            ratio += f"rate {self.a_second / other.a_second:.2f}" if other.a_second else "no rate"
        print(f"{name}: {self.seconds:.1f} s, {self.a_second:.2f} items/s{ratio}", flush=True)


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
    watch.require_each_once()
    texts = tuple(one.written.read_text(encoding="utf-8") for one in batch.transcribed)
    assert len(set(out.glob("*.txt"))) == len(recordings)
    return Run(seconds, watch.a_second, texts), batch


def speak(services: Services, watch: Watch, out: Path, count: int) -> Run:
    """Speaks so many short texts, all of them different."""
    texts = [NamedText(f"{number:04}", sentence(number)) for number in range(count)]
    started = time.monotonic()
    batch = speak_many(services, watch, texts, SpeechRequest("", VOICE, "", "kokoro-v1.0"), out)
    seconds = time.monotonic() - started
    assert not batch.failures, batch.failures[:3]
    assert [one.name for one in batch.spoken] == [text.name for text in texts]
    assert [one.about()["text"] for one in batch.spoken] == [text.text for text in texts]
    watch.require_each_once()
    assert len(set(out.glob("*.wav"))) == count
    return Run(seconds, watch.a_second, tuple(digest(one.written) for one in batch.spoken))


def add_recordings(services: Services, watch: Watch | None, root: Path, out: Path) -> Run:
    """Adds the recordings to a new dataset, which workers listened to first; its clips in order."""
    shutil.rmtree(services.settings.cache_folder / "listening", ignore_errors=True)
    create_dataset(services, out.name, "en", "Anna", agreed=True)
    request = DatasetRequest(out.name, (str(root / "recordings"),), model_id="whisper-tiny.en")
    started = time.monotonic()
    summary = build_dataset(services, request, executor=watch)
    seconds = time.monotonic() - started
    assert not summary.refused, summary.refused[:3]
    assert len(summary.added) == len(list((root / "recordings").iterdir()))
    if watch is not None:
        watch.require_each_once()
    folder = services.datasets.get(out.name).folder
    said = [clip.text for clip in services.datasets.get(out.name).rows]
    made = sorted((folder / "wavs").iterdir())
    assert len(said) > len(summary.added)
    return Run(seconds, watch.a_second if watch else 0.0, (*said, *map(digest, made)))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sentence(number: int) -> str:
    thing, place = THINGS[number % len(THINGS)], PLACES[number // 3 % len(PLACES)]
    return f"Clip {number}: there is a {thing} {place}."


def make_clips(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        write_speech(folder / f"{number:04}.wav", espeak(sentence(number)))


def make_recordings(folder: Path, count: int) -> None:
    """Stories of eight sentences with pauses, about half a minute each."""
    folder.mkdir()
    for number in range(count):
        spoken = [espeak(sentence(8 * number + n)) for n in range(8)]
        pause = np.zeros(spoken[0].sample_rate_hz // 2, np.float32)
        whole = np.concatenate([piece for one in spoken for piece in (one.samples, pause)])
        write_speech(folder / f"{number:04}.wav", Speech(whole, spoken[0].sample_rate_hz))


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
        same = sum(a == b for a, b in zip(run.results, alone.results, strict=True))
        print(f"{name}: {len(run.results)} of {count} texts, {same} the same as of one process")
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

    def start(words: str, name: str) -> subprocess.Popen[bytes]:
        caches = folder / f"caches-{name}"
        caches.mkdir(exist_ok=True)
        with (root / "ray.log").open("ab") as log:
            process = subprocess.Popen(
                [_RAY, "start", *usual.split(), *words.split()],
                stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "TMPDIR": str(caches)},
            )  # fmt: skip
        processes.append(process)
        return process

    def start_node(number: int) -> subprocess.Popen[bytes]:
        return start(
            f"--address=127.0.0.1:{_PORT} --num-cpus=1 --object-store-memory=100000000 "
            f"--temp-dir={folder / str(number)}",
            str(number),
        )

    start(
        f"--head --port={_PORT} --num-cpus=0 --include-dashboard=false "
        f"--object-store-memory=100000000 --temp-dir={folder / 'head'}",
        "head",
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


def measure_nodes(services: Services, root: Path, kind: str, count: int, model: str) -> None:
    def run(executor: Executor | None, at: dict[int, Callable[[], None]], name: str) -> Run:
        out = root / name
        watch = Watch(executor or LocalExecutor(services), at)
        if kind == "texts":
            return speak(services, watch, out, count)
        if kind == "dataset":
            return add_recordings(services, watch if executor else None, root, out)
        return transcribe(services, watch, root / "clips", out, model)[0]

    alone = run(None, {}, "alone")
    alone.show("one process of one thread")
    services.asr.unload_all()
    services.tts.unload_all()
    began = time.monotonic()
    with three_nodes(root) as start_node:
        start_node(1)
        second = start_node(2)

        def say(what: str) -> None:
            nodes = [node for state in under_way(services) for node in state.nodes if node.cpus]
            told = ", ".join(f"{'here' if n.here else 'left'}, {n.workers} workers" for n in nodes)
            seconds = time.monotonic() - began
            print(f"  {seconds:.0f} s: {what}; workers: {len(ray_workers())}; told: {told}")

        def leave() -> None:
            say("before the node leaves")
            for process in psutil.Process(second.pid).children(recursive=True):
                process.kill()

        def come_back() -> None:
            say("before the node returns")
            start_node(2)

        at = {count // 3: leave, 2 * count // 3: come_back}
        at[count] = lambda: say("the last item is done")
        executor = RayExecutor(services, f"127.0.0.1:{_PORT}", workers=2)
        by_nodes = run(executor, at, "nodes")
        by_nodes.show("three nodes, one left and returned", alone)
        same = sum(a == b for a, b in zip(by_nodes.results, alone.results, strict=True))
        print(f"{len(by_nodes.results)} results, {same} the same as of one process")
        print(executor.state().nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="whisper-tiny.en")
    parser.add_argument("--nodes", choices=("clips", "texts", "dataset"), nargs="?", const="clips")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        root = Path(folder)
        if chosen.nodes == "dataset":
            make_recordings(root / "recordings", chosen.items)
        elif chosen.nodes != "texts":
            make_clips(root / "clips", chosen.items)
        services = open_services(root, {"torch_threads": 1} if chosen.nodes else None)
        if chosen.nodes:
            measure_nodes(services, root, chosen.nodes, chosen.items, chosen.model)
        else:
            measure_local_ray(services, root, chosen.workers, chosen.model)
        services.close()
        reset_managers()


if __name__ == "__main__":
    main()
