"""kill -9 in the middle of a job: the next start finds it and goes on with it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.jobs import JobContext, JobRunner, JobStore

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "jobs.sqlite"


@pytest.fixture
def studio(tmp_path: Path, database: Path) -> Iterator[subprocess.Popen]:
    """Another process in the middle of its first job, a second one waiting."""
    command = [sys.executable, "-m", "tests.core_components.jobs.killed_studio"]
    process = subprocess.Popen([*command, str(database), str(tmp_path)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert process.poll() is None, "the other studio ended by itself"
        assert time.monotonic() < deadline, "the other studio did not begin"
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


def test_killed_jobs_are_interrupted_and_can_be_resumed(
    studio: subprocess.Popen, database: Path, tmp_path: Path
) -> None:
    studio.kill()
    studio.wait()
    store = JobStore(database)
    waiting, running = store.list()
    assert {waiting.state, running.state} == {"interrupted"}
    assert running.title == "the one that runs"
    assert running.fraction == 0.5
    assert running.message == "Half-way"
    assert running.eta_s is None
    assert store.get(running.id).log == ("begun",)

    def work(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        return {"checkpoint": (tmp_path / "checkpoint").read_text(), "text": payload["text"]}

    runner = JobRunner(store)
    runner.register("speak", work)
    runner.resume(running.id)
    done = runner.wait(running.id, timeout_s=30)
    assert (done.id, done.state) == (running.id, "done")
    assert done.result == {"checkpoint": "first", "text": "first"}
    runner.dismiss(waiting.id)
    assert [job.id for job in store.list()] == [running.id]
    runner.shutdown()


def test_a_killed_child_that_nobody_waited_for_is_dead_too(
    studio: subprocess.Popen, database: Path
) -> None:
    studio.kill()  # and stays a zombie until the fixture waits for it
    deadline = time.monotonic() + 30
    while {job.state for job in JobStore(database).list()} != {"interrupted"}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_jobs_of_a_living_process_are_left_alone(
    studio: subprocess.Popen, database: Path
) -> None:
    store = JobStore(database)
    assert [job.state for job in store.list()] == ["queued", "running"]
    runner = JobRunner(store)
    runner.register("speak", lambda payload, job: {"done by": "us"})
    own = runner.submit("speak", "ours", {})
    assert runner.wait(own.id, timeout_s=30).state == "done"
    assert [job.state for job in store.list()] == ["done", "queued", "running"]
    assert studio.poll() is None
    runner.shutdown()


def test_a_job_of_another_process_can_be_asked_to_stop(
    studio: subprocess.Popen, database: Path
) -> None:
    store = JobStore(database)
    waiting, running = store.list()
    assert store.request_cancel(waiting.id).state == "cancelled"
    asked = store.request_cancel(running.id)
    assert asked.state == "running"
    assert asked.cancel_requested
