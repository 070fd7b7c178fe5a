"""What is on disk: whole, ordered, bounded, and shared by threads."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
from pathlib import Path

import psutil
import pytest

from modules.core_components.errors import (
    BadInputError,
    DiskFullError,
    NotFoundError,
    StudioError,
)
from modules.core_components.jobs import JobStore
from modules.core_components.jobs.job import Owner, this_process
from modules.core_components.jobs.store import _TABLES, UNKNOWN_PAGE


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "jobs.sqlite"


@pytest.fixture
def store(path: Path) -> JobStore:
    return JobStore(path, Clock())


def test_a_new_job_waits_with_all_it_was_given(store: JobStore, path: Path) -> None:
    job = store.create("speak", "Anna: Grüße", {"text": "Grüße", "seed": 7}, "compute")
    assert (job.state, job.fraction, job.eta_s, job.result) == ("queued", 0.0, None, None)
    assert job.payload == {"text": "Grüße", "seed": 7}
    assert job.created == 1001.0
    assert JobStore(path).get(job.id) == job


@pytest.mark.parametrize("payload", [{"path": Path("x")}, {"x": float("nan")}, {"x": {1}}])
def test_a_payload_that_is_no_json_is_refused(store: JobStore, payload: dict) -> None:
    with pytest.raises(BadInputError, match="cannot be kept"):
        store.create("speak", "x", payload, "compute")
    assert store.list() == ()


def test_first_come_first_served_in_each_lane(store: JobStore) -> None:
    first, second = (store.create("speak", str(n), {}, "compute") for n in range(2))
    other = store.create("download", "x", {}, "network")
    assert [store.ahead(job.id) for job in (first, second, other)] == [0, 1, 0]
    claimed = store.claim("compute")
    assert claimed is not None
    assert (claimed.id, claimed.state) == (first.id, "running")
    assert [store.ahead(job.id) for job in (first, second, other)] == [0, 1, 0]
    assert store.claim("compute").id == second.id
    assert store.claim("compute") is None
    assert store.claim("network").id == other.id


def test_a_resumed_job_goes_to_the_end_of_the_queue_and_starts_afresh(store: JobStore) -> None:
    first, second = (store.create("speak", str(n), {}, "compute") for n in range(2))
    store.claim("compute")
    store.report(first.id, 0.7, "Fitting", 12.0, ["a line"])
    store.finish(first.id, "failed", error="No room.", hint="Make some.")
    resumed = store.requeue(first.id, "compute")
    assert (resumed.state, resumed.fraction, resumed.error, resumed.finished) == (
        "queued",
        0.0,
        "",
        None,
    )
    assert resumed.log == ("a line",)
    assert store.ahead(second.id) == 0
    assert store.ahead(first.id) == 1


@pytest.mark.parametrize("state", ["queued", "running", "done"])
def test_only_what_stopped_short_can_be_resumed(store: JobStore, state: str) -> None:
    job = store.create("speak", "x", {}, "compute")
    if state != "queued":
        store.claim("compute")
    if state == "done":
        store.finish(job.id, "done", {})
    with pytest.raises(BadInputError, match=f"is {state}"):
        store.requeue(job.id, "compute")
    assert store.get(job.id).state == state


def test_cancelling(store: JobStore) -> None:
    running, waiting = (store.create("speak", str(n), {}, "compute") for n in range(2))
    store.claim("compute")
    assert store.request_cancel(waiting.id).state == "cancelled"
    asked = store.request_cancel(running.id)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert store.report(running.id, 0.5, "Stopping", None) is True
    store.finish(running.id, "cancelled")
    assert store.get(running.id).cancel_requested is False
    store.finish(running.id, "done", {})
    assert store.request_cancel(running.id).state == "done"


def test_dismissing_takes_only_what_is_over(store: JobStore) -> None:
    job = store.create("speak", "x", {}, "compute")
    with pytest.raises(BadInputError, match="Cancel it first"):
        store.dismiss(job.id)
    store.request_cancel(job.id)
    store.dismiss(job.id)
    for use in (store.get, store.dismiss, store.request_cancel):
        with pytest.raises(NotFoundError):
            use(job.id)


def test_lists_are_filtered_and_newest_first(store: JobStore) -> None:
    jobs = [store.create(kind, kind, {}, "compute") for kind in ("speak", "download", "speak")]
    store.claim("compute")
    assert [job.id for job in store.list()] == [job.id for job in reversed(jobs)]
    assert [job.id for job in store.list(states=("running",))] == [jobs[0].id]
    assert [job.id for job in store.list(kind="speak", states=["queued"])] == [jobs[2].id]
    assert len(store.list(limit=2)) == 2
    assert store.list(states=()) == ()


def test_the_log_keeps_the_last_lines(store: JobStore) -> None:
    job = store.create("speak", "x", {}, "compute")
    other = store.create("speak", "y", {}, "compute")
    store.report(other.id, 0, "", None, ["mine"])
    store.report(job.id, 0, "", None, [f"line {n}" for n in range(300)])
    store.report(job.id, 0, "", None, [f"line {n}" for n in range(300, 900)] + ["x" * 10_000])
    log = store.get(job.id).log
    assert len(log) == 500
    assert log[0] == "line 401"
    assert len(log[-1]) == 2000
    assert store.get(other.id).log == ("mine",)


def test_old_finished_jobs_are_forgotten_with_their_logs(store: JobStore, path: Path) -> None:
    interrupted = store.create("speak", "kept", {}, "compute")
    store.interrupt_queued()
    ids = []
    for number in range(205):
        job = store.create("speak", str(number), {}, "compute")
        store.claim("compute")
        store.report(job.id, 0.5, "", None, ["a line"])
        store.finish(job.id, "done", {})
        ids.append(job.id)
    kept = {job.id for job in store.list(limit=1000)}
    assert kept == {interrupted.id, *ids[5:]}
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM job_log").fetchone() == (200,)


def test_jobs_of_a_dead_process_are_interrupted_at_the_next_opening(
    store: JobStore, path: Path
) -> None:
    """The same process id, given out again: its start tells the two apart."""
    own = this_process()
    store.owner = Owner(own.pid, own.started - 3600)
    queued, running = (store.create("speak", str(n), {}, "compute") for n in range(2))
    assert store.claim("compute") is not None
    again = JobStore(path)
    assert {again.get(job.id).state for job in (queued, running)} == {"interrupted"}


def test_jobs_of_this_process_stay_at_a_second_opening(store: JobStore, path: Path) -> None:
    job = store.create("speak", "x", {}, "compute")
    assert JobStore(path).get(job.id).state == "queued"


def test_who_is_alive() -> None:
    own = this_process()
    assert own.is_alive()
    assert Owner(own.pid, own.started + 1.0).is_alive()  # the clock was set by a second
    assert not Owner(own.pid, own.started - 100).is_alive()
    assert not Owner(max(psutil.pids()) + 100_000, own.started).is_alive()


def test_another_users_process_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: psutil.Process) -> float:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "create_time", denied)
    assert Owner(1, 0.0).is_alive()


def test_a_damaged_database_is_set_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 100)
    store = JobStore(path)
    assert store.list() == ()
    store.create("speak", "x", {}, "compute")
    assert path.with_name("jobs.sqlite.damaged").read_bytes().startswith(b"this is no")


def test_a_newer_database_is_not_touched(store: JobStore, path: Path) -> None:
    store.create("speak", "x", {}, "compute")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StudioError, match="newer version"):
        JobStore(path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM jobs").fetchone() == (1,)


def test_jobs_of_an_earlier_version_belong_to_no_page_that_is_known(path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as database:
        without_pages = re.sub(r",\n    page TEXT[^\n]*", "", _TABLES)
        assert without_pages != _TABLES
        database.executescript(without_pages)
        database.execute(
            "INSERT INTO jobs (id, place, lane, kind, title, state, created, payload, owner_pid,"
            " owner_started) VALUES ('x', 1, 'compute', 'speak', 'x', 'interrupted', 0, '{}', 1, 0)"
        )
        database.execute("PRAGMA user_version = 1")
        database.commit()
    store = JobStore(path)
    assert store.get("x").page == UNKNOWN_PAGE
    assert store.create("speak", "x", {}, "compute", "page").page == "page"


def test_a_full_disk_is_reported_and_changes_nothing(store: JobStore) -> None:
    """SQLite's own limit on pages makes the file as full as a disk."""
    connection = store._connection()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(DiskFullError, match="Free some space"):
        store.create("speak", "x", {"text": "x" * 1_000_000}, "compute")
    assert store.list() == ()
    connection.execute("PRAGMA max_page_count = 1000000")
    assert store.create("speak", "x", {"text": "x" * 1_000_000}, "compute").state == "queued"


def test_a_change_shuts_out_other_writers_from_its_first_look(store: JobStore, path: Path) -> None:
    """Else two workers could both see a job as queued before either marks it."""
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with store._writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_many_threads_share_it_and_no_job_is_claimed_twice(store: JobStore) -> None:
    claimed: list[str] = []
    go = threading.Barrier(6)

    def work() -> None:
        go.wait()
        for number in range(10):
            store.create("speak", str(number), {}, "compute")
        while job := store.claim("compute"):
            claimed.append(job.id)
            store.report(job.id, 0.5, "working", None, ["line"])
            store.finish(job.id, "done", {})

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 60
    assert {job.state for job in store.list()} == {"done"}


def test_a_threads_connection_ends_with_it(store: JobStore) -> None:
    """Web servers come and go with threads; each would hold files open for ever."""
    open_files = len(psutil.Process().open_files())
    for _ in range(20):
        thread = threading.Thread(target=store.list)
        thread.start()
        thread.join()
    assert len(psutil.Process().open_files()) <= open_files + 2
