"""Doing jobs: in order, one at a time in a lane, stopped when asked, never silently lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.jobs import Job, JobContext, JobRunner, JobStore
from tests.helpers.errors import detailed

WAIT_S = 30.0


class Gate:
    """A handler that says when it has begun and goes on when it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        self.begun.set()
        while not self.go_on.wait(0.005):
            job.cancel.raise_if_cancelled()
        return {"payload": dict(payload)}


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs.sqlite")


@pytest.fixture
def runner(store: JobStore) -> Iterator[JobRunner]:
    runner = JobRunner(store, {"compute": 1, "network": 1}, report_every_s=0.01)
    yield runner
    runner.shutdown(WAIT_S)


@pytest.fixture
def gate(runner: JobRunner) -> Gate:
    gate = Gate()
    runner.register("gate", gate)
    return gate


def run(runner: JobRunner, handler: Callable[..., Any], **payload: Any) -> Job:
    runner.register("once", handler)
    return runner.wait(runner.submit("once", "Once", payload).id, WAIT_S)


def test_a_job_is_done_with_its_result(runner: JobRunner) -> None:
    job = run(runner, lambda payload, job: {"double": payload["n"] * 2}, n=21)
    assert (job.state, job.result, job.fraction) == ("done", {"double": 42}, 1.0)
    assert job.created <= job.started <= job.finished


def test_no_result_is_an_empty_result(runner: JobRunner) -> None:
    assert run(runner, lambda payload, job: None).result == {}


def test_one_at_a_time_in_the_order_of_their_coming(runner: JobRunner) -> None:
    order: list[int] = []
    at_once, most = 0, 0

    def note(payload: Mapping[str, Any], job: JobContext) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        order.append(payload["n"])
        at_once -= 1

    runner.register("note", note)
    jobs = [runner.submit("note", "x", {"n": n}) for n in range(20)]
    for job in jobs:
        assert runner.wait(job.id, WAIT_S).state == "done"
    assert order == list(range(20))
    assert most == 1


def test_a_download_does_not_wait_for_a_voice_to_be_fitted(runner: JobRunner, gate: Gate) -> None:
    runner.register("download", lambda payload, job: {}, lane="network")
    fit = runner.submit("gate", "fit", {})
    assert gate.begun.wait(WAIT_S)
    download = runner.submit("download", "download", {})
    assert runner.wait(download.id, WAIT_S).state == "done"
    assert runner.get(fit.id).state == "running"
    gate.go_on.set()


def test_positions_in_the_queue(runner: JobRunner, gate: Gate) -> None:
    first = runner.submit("gate", "first", {})
    assert gate.begun.wait(WAIT_S)
    waiting = [runner.submit("gate", "x", {}) for _ in range(2)]
    assert [runner.ahead(job.id) for job in (first, *waiting)] == [0, 1, 2]
    gate.go_on.set()


# Failing


def test_an_error_for_people_keeps_its_message_and_hint(runner: JobRunner) -> None:
    def fail(payload: Mapping[str, Any], job: JobContext) -> None:
        job.progress(0.4, "Reading")
        raise BadInputError("The recording is silent.", "Record it again.")

    job = run(runner, fail)
    assert (job.state, job.error, job.hint) == (
        "failed",
        "The recording is silent.",
        "Record it again.",
    )
    assert (job.fraction, job.message) == (0.4, "Reading")


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), SystemExit(1), KeyboardInterrupt()])
def test_any_other_error_goes_to_the_log_and_the_worker_lives_on(
    runner: JobRunner, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(payload: Mapping[str, Any], job: JobContext) -> None:
        raise error

    with caplog.at_level(logging.ERROR):
        job = run(runner, fail)
    assert job.state == "failed"
    assert "secret" not in job.error + job.hint + "".join(job.log)
    assert type(error).__name__ in caplog.text
    assert run(runner, lambda payload, job: {}).state == "done"


def test_a_result_that_is_no_json_fails_the_job(runner: JobRunner) -> None:
    assert run(runner, lambda payload, job: {"path": Path("x")}).state == "failed"


def test_a_resumed_job_is_the_same_job(runner: JobRunner) -> None:
    calls: list[dict[str, Any]] = []

    def fail_first(payload: Mapping[str, Any], job: JobContext) -> None:
        calls.append(dict(payload))
        if len(calls) == 1:
            raise StudioError("Not yet.")

    failed = run(runner, fail_first, n=1)
    resumed = runner.resume(failed.id)
    assert resumed.id == failed.id
    assert runner.wait(failed.id, WAIT_S).state == "done"
    assert calls == [{"n": 1}] * 2


def test_a_kind_that_nobody_knows(runner: JobRunner, store: JobStore) -> None:
    with pytest.raises(BadInputError, check=detailed("cannot do this job.*'dance'")):
        runner.submit("dance", "x", {})
    left_over = store.create("dance", "x", {}, "compute")
    store.request_cancel(left_over.id)
    with pytest.raises(BadInputError, match="dismiss it"):
        runner.resume(left_over.id)


def test_a_lane_that_is_not_there(runner: JobRunner) -> None:
    with pytest.raises(ValueError, match="no lane 'gpu'"):
        runner.register("x", lambda payload, job: {}, lane="gpu")


# Cancelling


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(runner: JobRunner, gate: Gate) -> None:
    runner.submit("gate", "first", {})
    assert gate.begun.wait(WAIT_S)
    ran = threading.Event()
    runner.register("mark", lambda payload, job: ran.set())
    waiting = runner.submit("mark", "second", {})
    assert runner.cancel(waiting.id).state == "cancelled"
    gate.go_on.set()
    last = runner.submit("gate", "third", {})
    assert runner.wait(last.id, WAIT_S).state == "done"
    assert not ran.is_set()


def test_a_running_job_is_cancelled_when_its_handler_has_stopped(runner: JobRunner) -> None:
    told, let_go = threading.Event(), threading.Event()

    def slow_to_stop(payload: Mapping[str, Any], job: JobContext) -> None:
        assert job.cancel.wait(WAIT_S)
        told.set()
        assert let_go.wait(WAIT_S)
        raise JobCancelled

    runner.register("slow", slow_to_stop)
    job = runner.submit("slow", "x", {})
    while runner.get(job.id).state == "queued":
        pass
    runner.cancel(job.id)
    assert told.wait(WAIT_S)
    still = runner.get(job.id)
    assert (still.state, still.cancel_requested) == ("running", True)
    let_go.set()
    assert runner.wait(job.id, WAIT_S).state == "cancelled"


def test_work_that_was_finished_all_the_same_is_done(runner: JobRunner) -> None:
    def deaf(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        assert job.cancel.wait(WAIT_S)
        return {"made": True}

    runner.register("deaf", deaf)
    job = runner.submit("deaf", "x", {})
    while runner.get(job.id).state == "queued":
        pass
    runner.cancel(job.id)
    assert runner.wait(job.id, WAIT_S).result == {"made": True}


def test_a_wish_from_another_process_reaches_the_handler(
    runner: JobRunner, store: JobStore, gate: Gate
) -> None:
    job = runner.submit("gate", "x", {})
    assert gate.begun.wait(WAIT_S)
    JobStore(store.path).request_cancel(job.id)
    assert runner.wait(job.id, WAIT_S).state == "cancelled"


# Waiting and closing


def test_waiting_ends_with_its_time(runner: JobRunner, gate: Gate) -> None:
    job = runner.submit("gate", "x", {})
    assert runner.wait(job.id, timeout_s=0.01).is_active
    gate.go_on.set()
    assert runner.wait(job.id, WAIT_S).state == "done"


def test_closing_stops_what_runs_and_everything_can_be_resumed(store: JobStore) -> None:
    runner, gate = JobRunner(store), Gate()
    runner.register("gate", gate)
    running, waiting = (runner.submit("gate", str(n), {"n": n}) for n in range(2))
    assert gate.begun.wait(WAIT_S)
    runner.shutdown(WAIT_S)
    assert {store.get(job.id).state for job in (running, waiting)} == {"interrupted"}
    with pytest.raises(StudioError, match="closing"):
        runner.submit("gate", "late", {})
    assert all(job.state == "interrupted" for job in store.list())

    later = JobRunner(store)
    later.register("gate", gate)
    gate.go_on.set()
    for job in (running, waiting):
        later.resume(job.id)
        assert later.wait(job.id, WAIT_S).result == {"payload": dict(job.payload)}
    later.shutdown(WAIT_S)


def test_what_the_user_cancelled_stays_cancelled_at_closing(store: JobStore) -> None:
    runner = JobRunner(store)
    begun, let_go = threading.Event(), threading.Event()

    def slow_to_stop(payload: Mapping[str, Any], job: JobContext) -> None:
        begun.set()
        assert let_go.wait(WAIT_S)
        job.cancel.raise_if_cancelled()

    runner.register("slow", slow_to_stop)
    job = runner.submit("slow", "x", {})
    assert begun.wait(WAIT_S)
    runner.cancel(job.id)
    runner.shutdown(timeout_s=0.0)
    let_go.set()
    assert runner.wait(job.id, WAIT_S).state == "cancelled"


def test_closing_twice_or_without_work_is_nothing(store: JobStore) -> None:
    threads = set(threading.enumerate())
    runner = JobRunner(store)
    runner.shutdown()
    assert set(threading.enumerate()) <= threads, "a lane still runs"
    runner.shutdown()
    assert store.list() == ()
    assert set(threading.enumerate()) <= threads
