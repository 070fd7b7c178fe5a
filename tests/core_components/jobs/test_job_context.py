"""Progress, estimates and log lines on their way to the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from modules.core_components.errors import DiskFullError
from modules.core_components.jobs import Job, JobContext, JobStore
from modules.core_components.jobs.context import RemainingTime
from modules.core_components.progress import phase, scaled


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs.sqlite")


@pytest.fixture
def context(store: JobStore, clock: Clock) -> JobContext:
    store.create("speak", "x", {}, "compute")
    job = store.claim("compute")
    assert job is not None
    return JobContext(store, job.id, clock)


def written(store: JobStore, context: JobContext) -> Job:
    return store.get(context.job_id)


def test_only_a_flush_writes_and_it_writes_the_last_word(
    store: JobStore, context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = []
    report = store.report
    monkeypatch.setattr(store, "report", lambda *a: writes.append(a) or report(*a))
    for step in range(1000):
        context.progress(step / 1000, f"Step {step}")
        context.log(f"line {step}")
    assert written(store, context).fraction == 0.0
    context.flush()
    context.flush()  # nothing new
    assert len(writes) == 1
    job = written(store, context)
    assert (job.fraction, job.message) == (0.999, "Step 999")
    assert job.log[-1] == "line 999"


def test_after_the_last_flush_nothing_is_written(store: JobStore, context: JobContext) -> None:
    context.progress(0.5, "Half-way")
    context.close()
    store.finish(context.job_id, "done", {})
    context.progress(0.6, "too late")
    context.flush()
    job = written(store, context)
    assert (job.fraction, job.message, job.state) == (1.0, "Half-way", "done")


@pytest.mark.parametrize(("given", "kept"), [(-1.0, 0.0), (2.0, 1.0), (float("nan"), 0.25)])
def test_fractions_stay_between_0_and_1(
    store: JobStore, context: JobContext, given: float, kept: float
) -> None:
    context.progress(0.25, "before")
    context.progress(given, "now")
    context.flush()
    assert (written(store, context).fraction, written(store, context).message) == (kept, "now")


def test_log_lines_are_single_lines(store: JobStore, context: JobContext) -> None:
    context.log("one\ntwo\n")
    context.flush()
    assert written(store, context).log == ("one", "two")


def test_a_wish_to_stop_is_heard_even_by_work_that_reports_nothing(
    store: JobStore, context: JobContext
) -> None:
    context.flush()
    assert not context.cancel.cancelled
    store.request_cancel(context.job_id)
    context.flush()
    assert context.cancel.cancelled


@pytest.mark.parametrize("error", [DiskFullError("full"), sqlite3.OperationalError("locked")])
def test_work_goes_on_when_progress_cannot_be_written(
    store: JobStore, context: JobContext, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> bool:
        raise error

    monkeypatch.setattr(store, "report", broken)
    context.progress(0.5, "x")
    context.flush()
    assert not context.cancel.cancelled


# The estimate


def test_there_is_no_estimate_at_the_beginning(clock: Clock) -> None:
    remaining = RemainingTime(clock)
    assert remaining.update(0.0) is None
    clock.now = 1.9
    assert remaining.update(0.1) is None


def test_a_steady_rate_gives_the_exact_time_left(clock: Clock) -> None:
    remaining = RemainingTime(clock)
    for second in range(100):
        clock.now = float(second)
        eta_s = remaining.update(second / 100)
        if second >= 2:
            assert eta_s == pytest.approx(100 - second)


def test_the_rate_of_the_last_half_minute_counts(clock: Clock) -> None:
    """A quick start (files found in the cache) does not promise a quick end."""
    remaining = RemainingTime(clock)
    for second in range(11):
        clock.now = float(second)
        remaining.update(second * 0.05)  # half of it in ten seconds
    for second in range(11, 111):
        clock.now = float(second)
        eta_s = remaining.update(0.5 + (second - 10) * 0.001)
    assert eta_s == pytest.approx(400, rel=0.05)


def test_a_jump_is_taken_over_bit_by_bit(clock: Clock) -> None:
    remaining = RemainingTime(clock)
    for second in range(11):
        clock.now = float(second)
        before = remaining.update(second / 100)
    clock.now = 11.0
    after = remaining.update(0.5)
    assert before == pytest.approx(90)
    assert 11 < after < 89


def test_without_progress_the_estimate_stays(clock: Clock) -> None:
    remaining = RemainingTime(clock)
    assert [remaining.update(0.0) for clock.now in (0.0, 10.0, 100.0)] == [None, None, None]


def test_going_back_starts_anew(clock: Clock) -> None:
    remaining = RemainingTime(clock)
    for second in range(5):
        clock.now = float(second)
        remaining.update(second / 10)
    assert remaining.update(0.0) is None


def test_each_phase_has_an_estimate_of_its_own(
    store: JobStore, context: JobContext, clock: Clock
) -> None:
    quick = phase(context.progress, 0.0, 0.5)
    for step in range(11):
        clock.now += 1
        quick(step / 10, "Preparing" if step < 10 else "Done")
    context.flush()
    job = written(store, context)
    assert (job.fraction, job.message, job.eta_s) == (0.5, "Preparing", 0.0)
    slow = scaled(phase(context.progress, 0.5, 1.0), 0.0, 0.5)
    slow(0.0, "Speaking")
    context.flush()
    assert written(store, context).eta_s is None, "nothing is known of it yet"
    clock.now += 10
    slow(0.2, "Speaking")
    context.flush()
    assert written(store, context).eta_s == pytest.approx(90.0)
