"""Work by Ray, with real processes that are killed: one cluster of one machine for all tests."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import write_speech
from modules.core_components.errors import JobCancelled, StudioError
from modules.core_components.progress import CancelToken
from modules.tools.listening import transcribe_many as many
from modules.tools.listening.transcribe import TranscribeRequest
from modules.tools.services import Services, open_services
from modules.tools.work.executor import LocalExecutor, Outcome, Work, WorkItem
from modules.tools.work.probe import describe_place
from modules.tools.work.ray_executor import RayExecutor
from modules.tools.work.under_way import under_way
from tests.helpers.espeak import espeak

pytestmark = pytest.mark.e2e

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster with room for two workers; its token is in the environment."""
    # Ray's sockets lie there, whose paths may have about a hundred characters.
    place = "/tmp" if os.name == "posix" else None  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="studio-ray-", dir=place))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (
        f"start --head --block --node-ip-address=127.0.0.1 --port={port} --num-cpus=2 "
        f"--num-gpus=0 --include-dashboard=false --object-store-memory=100000000 "
        f"--disable-usage-stats --temp-dir={folder}"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_AUTH_MODE", "token")
        patched.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        head = subprocess.Popen(
            [str(Path(sys.executable).parent / "ray"), *command.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = ""
        for line in head.stdout or ():
            said += line
            if "--block" in line:  # that it waits now is what it says last
                break
        else:
            pytest.fail(f"Ray did not start:\n{said}")
        yield f"127.0.0.1:{port}"
        head.terminate()
        head.communicate(timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def studio(starter_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    root = tmp_path_factory.mktemp("studio")
    services = open_services(root, {"models_folder": str(starter_models)})
    yield services
    services.close()
    reset_managers()


def processes(name: str) -> list[psutil.Process]:
    """The processes below this one whose command line has the name."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if name in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:  # it has just ended
            continue
    return found


def test_clips_are_transcribed_though_a_worker_is_killed(
    studio: Services, address: str, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for place, number in enumerate(NUMBERS):
        speech = espeak(f"There are {number} lamps on the table in the kitchen.")
        write_speech(clips / f"{place:02}.wav", speech)
    recordings = many.find_recordings([clips])
    stored = many.find_recordings([clips.as_uri()])  # the workers open them by their addresses
    request = TranscribeRequest(Path(), "whisper-tiny.en")
    told: list[str] = []
    killed: list[psutil.Process] = []
    seen: set[tuple[int, int, int, int]] = set()

    class Watching(RayExecutor):
        """Tells of each item, and kills a worker after the third."""

        def run(self, work: Work, *rest: object) -> Outcome:
            def on_item(item: WorkItem, fraction: float, message: str) -> None:
                seen.update(
                    (state.done, state.items, node.workers, node.busy)
                    for state in under_way(studio)
                    for node in state.nodes
                )
                if message == "Done":
                    told.append(item.name)
                if len(told) == 3 and not killed:
                    killed.append(processes("ray::RayWorker")[0])
                    killed[0].kill()

            return super().run(work, on_item=on_item)

    executor = Watching(studio, address, workers=2)
    by_ray = many.transcribe_many(studio, executor, stored, request, "txt", tmp_path / "ray")
    assert killed
    assert {(items, workers, busy) for _, items, workers, busy in seen} >= {(8, 2, 2)}
    assert under_way(studio) == ()
    assert by_ray.failures == ()
    assert Counter(told) == Counter(path.as_uri() for path in sorted(clips.iterdir()))
    alone = many.transcribe_many(
        studio, LocalExecutor(studio), recordings, request, "txt", tmp_path / "alone"
    )
    assert [one.recording for one in by_ray.transcribed] == [file for file, _ in stored]
    assert [one.written.name for one in by_ray.transcribed] == [
        one.written.name for one in alone.transcribed
    ]
    texts = [one.written.read_text() for one in by_ray.transcribed]
    assert texts == [one.written.read_text() for one in alone.transcribed]
    assert all("kitchen" in text for text in texts[:4])
    assert len(list((tmp_path / "ray").rglob("*.*"))) == 1 + 2 * len(NUMBERS)
    _, left = psutil.wait_procs(processes("ray::RayWorker"), timeout=20)
    assert left == []


def test_cancelled_then_killed_then_resumed(studio: Services, address: str, tmp_path: Path) -> None:
    items = tuple(WorkItem(f"item {n}", {}, tmp_path / f"{n}.txt") for n in range(40))
    work = Work("modules.tools.work.probe:open_probe", {"seconds": 0.2}, items)
    executor = RayExecutor(studio, address, workers=2)
    told: list[str] = []
    cancel = CancelToken()

    def cancel_after_four(item: WorkItem, fraction: float, message: str) -> None:
        told.append(item.name)
        if len(told) == 4:
            cancel.cancel()

    with pytest.raises(JobCancelled):
        executor.run(work, cancel=cancel, on_item=cancel_after_four)
    before = {item.name for item in items if item.is_done}
    assert 4 <= len(before) < 40
    assert processes("ray_driver") == []

    def kill_at_first(item: WorkItem, fraction: float, message: str) -> None:
        for process in processes("ray_driver"):
            process.kill()

    with pytest.raises(StudioError, match="process that hands out the work ended"):
        executor.run(work, on_item=kill_at_first)
    then = {item.name for item in items if item.is_done}
    assert before < then
    told.clear()
    outcome = executor.run(work, on_item=lambda item, *_: told.append(item.name))
    assert set(told) == {item.name for item in items} - {i.name for i in outcome.skipped}
    assert {item.name for item in outcome.skipped} >= then
    assert len(outcome.done) + len(outcome.skipped) == 40
    assert all(item.is_done for item in items)


def test_the_machines_of_a_cluster_are_listed(studio: Services, address: str) -> None:
    place = describe_place(studio, address)
    (node,) = place.nodes
    assert (node.here, node.cpus, node.gpus) == (True, 2, 0)


_OTHER_VERSION = """
import json, sys
from ray._common.usage.usage_constants import CLUSTER_METADATA_KEY as KEY
from ray._raylet import GcsClient
head = GcsClient(address=sys.argv[1])
about = json.loads(head.internal_kv_get(KEY, namespace=b"cluster"))
changed = json.dumps({**about, "ray_version": "2.59.1"}).encode()
head.internal_kv_put(KEY, changed, True, b"cluster")
"""


def test_a_cluster_of_another_version_is_refused(studio: Services, address: str) -> None:
    """The last test of this file: the cluster says from now on that it is another Ray's."""
    subprocess.run([sys.executable, "-c", _OTHER_VERSION, address], check=True)
    with pytest.raises(StudioError, match=r"The cluster has Ray 2\.59\.1 and Python 3.*has Ray 2"):
        describe_place(studio, address)
