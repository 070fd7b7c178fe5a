"""Jobs on disk: one SQLite file that several processes may use at once."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modules.core_components.errors import BadInputError, DiskFullError, NotFoundError, StudioError
from modules.core_components.jobs.job import (
    ACTIVE,
    CANCELLED,
    DONE,
    FINISHED,
    INTERRUPTED,
    QUEUED,
    RESUMABLE,
    RUNNING,
    Job,
    Owner,
    this_process,
)
from modules.core_components.texts import _

logger = logging.getLogger(__name__)


VERSION = 2
# The page of jobs that an earlier version queued: no page has this id, so any may follow them.
UNKNOWN_PAGE = "unknown"
_BUSY_TIMEOUT_S = 10.0

_TABLES = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    place INTEGER NOT NULL,           -- the queue's order; a resumed job goes to its end
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    payload TEXT NOT NULL,            -- JSON
    fraction REAL NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    eta_s REAL,
    started REAL,
    finished REAL,
    result TEXT,                      -- JSON
    error TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    owner_pid INTEGER NOT NULL,
    owner_started REAL NOT NULL,
    page TEXT NOT NULL DEFAULT ''     -- of the page that queued it
);
CREATE INDEX jobs_by_state ON jobs (state, place);
CREATE TABLE job_log (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    line TEXT NOT NULL
);
CREATE INDEX job_log_by_job ON job_log (job_id, number);
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread: write-ahead log, waiting when busy, no implicit transactions."""
    # The garbage collector may close it in another thread than the one that used it.
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(path: Path) -> None:
    """Makes sure that `path` is a jobs database of this version.

    A damaged file is set aside. Raises StudioError if a newer studio wrote it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _create_tables(path)
    except sqlite3.OperationalError:
        raise  # busy, full or not writable: the file itself may be sound
    except sqlite3.DatabaseError as error:
        _set_aside(path)
        logger.warning("%s was damaged (%s); a new one is started", path, error)
        _create_tables(path)


def _create_tables(path: Path) -> None:
    connection = connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StudioError(
                _("The list of jobs was written by a newer version of the studio."),
                _("Update the studio, or move {path} away.", path=path),
            )
        if version == 0:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
        elif version < VERSION:
            connection.execute("ALTER TABLE jobs ADD COLUMN page TEXT NOT NULL DEFAULT ''")
            connection.execute("UPDATE jobs SET page = ?", (UNKNOWN_PAGE,))
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()


def _set_aside(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(part.with_name(f"{part.name}.damaged"))


_KEEP_FINISHED = 200
_LOG_LINES = 500
_LOG_LINE_CHARACTERS = 2000


class JobStore:
    """The jobs of all processes that share a folder.

    Opening it marks as interrupted what processes that are gone left queued or running; jobs of
    other living processes are left alone. Safe from every thread.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.owner = this_process()
        self._now = now
        self._threads = threading.local()
        with _disk_errors(path):
            prepare(path)
            self._interrupt_orphans()

    def create(
        self, kind: str, title: str, payload: Mapping[str, Any], lane: str, page: str = ""
    ) -> Job:
        """Queues a new job. Raises BadInputError if the payload is no JSON, DiskFullError."""
        job_id = uuid.uuid4().hex
        try:
            packed = json.dumps(dict(payload), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BadInputError(
                _("The job {title!r} cannot be kept: {error}.", title=title, error=error)
            ) from error
        with self._writing() as database:
            database.execute(
                "INSERT INTO jobs (id, place, lane, kind, title, state, created, payload,"
                " owner_pid, owner_started, page)"
                " VALUES (?, (SELECT coalesce(max(place), 0) + 1 FROM jobs),"
                " ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (job_id, lane, kind, title, QUEUED, self._now(), packed, *self._owner_key(), page),
            )
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """A job with its log. Raises NotFoundError."""
        row = self._one("SELECT * FROM jobs WHERE id = ?", job_id)
        if row is None:
            raise NotFoundError(
                _("There is no such job."), _("It was removed from the list, perhaps.")
            )
        lines = self._all("SELECT line FROM job_log WHERE job_id = ? ORDER BY number", job_id)
        return _job(row, tuple(line["line"] for line in lines))

    def list(
        self, states: Collection[str] | None = None, kind: str | None = None, limit: int = 100
    ) -> tuple[Job, ...]:
        """Jobs, the last one queued first, without their logs (`get` has them)."""
        where, values = ["1"], [*(states or ()), *([] if kind is None else [kind])]
        if states is not None:
            where.append(f"state IN ({', '.join('?' * len(states))})")
        if kind is not None:
            where.append("kind = ?")
        query = f"SELECT * FROM jobs WHERE {' AND '.join(where)} ORDER BY place DESC LIMIT ?"  # noqa: S608 - fixed texts
        return tuple(_job(row) for row in self._all(query, *values, limit))

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state that some are in."""
        rows = self._all("SELECT state, COUNT(*) AS number FROM jobs GROUP BY state")
        return {row["state"]: row["number"] for row in rows}

    def claim(self, lane: str) -> Job | None:
        """Takes the job of this process that has waited longest in the lane, now running."""
        with self._writing() as database:
            row = database.execute(
                "SELECT id FROM jobs WHERE state = ? AND lane = ? AND owner_pid = ?"
                " AND owner_started = ? ORDER BY place LIMIT 1",
                (QUEUED, lane, *self._owner_key()),
            ).fetchone()
            if row is None:
                return None
            database.execute(
                "UPDATE jobs SET state = ?, started = ? WHERE id = ?",
                (RUNNING, self._now(), row["id"]),
            )
        return self.get(row["id"])

    def report(
        self,
        job_id: str,
        fraction: float,
        message: str,
        eta_s: float | None,
        lines: Sequence[str] = (),
    ) -> bool:
        """Writes progress and log lines; returns whether the job was asked to stop."""
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET fraction = ?, message = ?, eta_s = ? WHERE id = ?",
                (fraction, message, eta_s, job_id),
            )
            self._append_log(database, job_id, lines)
        return self.cancel_requested(job_id)

    def cancel_requested(self, job_id: str) -> bool:
        """Whether any process asked the job to stop."""
        row = self._one("SELECT cancel_requested FROM jobs WHERE id = ?", job_id)
        return row is not None and bool(row["cancel_requested"])

    def finish(
        self,
        job_id: str,
        state: str,
        result: Mapping[str, Any] | None = None,
        error: str = "",
        hint: str = "",
    ) -> None:
        """Ends a running job and forgets the oldest finished ones beyond 200."""
        packed = None if result is None else json.dumps(dict(result), allow_nan=False)
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET state = ?, result = ?, error = ?, hint = ?, finished = ?,"
                " fraction = CASE WHEN ? THEN 1 ELSE fraction END, eta_s = NULL,"
                " cancel_requested = 0 WHERE id = ?",
                (state, packed, error, hint, self._now(), state == DONE, job_id),
            )
            marks = ", ".join("?" * len(FINISHED))
            database.execute(
                f"DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state IN ({marks})"  # noqa: S608 - fixed texts
                " ORDER BY finished DESC, place DESC LIMIT -1 OFFSET ?)",
                (*FINISHED, _KEEP_FINISHED),
            )

    def request_cancel(self, job_id: str) -> Job:
        """A queued or interrupted job is cancelled at once; a running one is marked.

        One that is finished stays as it is. Raises NotFoundError.
        """
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET state = ?, finished = ? WHERE id = ? AND state IN (?, ?)",
                (CANCELLED, self._now(), job_id, QUEUED, INTERRUPTED),
            )
            database.execute(
                "UPDATE jobs SET cancel_requested = 1 WHERE id = ? AND state = ?",
                (job_id, RUNNING),
            )
        return self.get(job_id)

    def requeue(self, job_id: str, lane: str) -> Job:
        """Queues a job again under its id, for this process, at the end of the queue.

        Raises BadInputError unless it was interrupted, failed or was cancelled.
        """
        with self._writing() as database:
            marks = ", ".join("?" * len(RESUMABLE))
            changed = database.execute(
                f"UPDATE jobs SET state = ?, lane = ?, owner_pid = ?, owner_started = ?,"  # noqa: S608 - fixed texts
                " place = (SELECT max(place) + 1 FROM jobs), fraction = 0, message = '',"
                " eta_s = NULL, started = NULL, finished = NULL, result = NULL, error = '',"
                f" hint = '', cancel_requested = 0 WHERE id = ? AND state IN ({marks})",
                (QUEUED, lane, *self._owner_key(), job_id, *RESUMABLE),
            ).rowcount
        job = self.get(job_id)
        if not changed:
            raise BadInputError(
                _(
                    "The job {title!r} is {state}; it cannot be resumed.",
                    title=job.title,
                    state=_(job.state),
                )
            )
        return job

    def dismiss(self, job_id: str) -> None:
        """Removes a job from the list. Raises BadInputError while it is queued or running."""
        job = self.get(job_id)
        with self._writing() as database:
            gone = database.execute(
                "DELETE FROM jobs WHERE id = ? AND state NOT IN (?, ?)", (job_id, *ACTIVE)
            ).rowcount
        if not gone:
            raise BadInputError(
                _("The job {title!r} is {state}.", title=job.title, state=_(job.state)),
                _("Cancel it first."),
            )

    def ahead(self, job_id: str) -> int:
        """How many jobs of its lane run, or will run, before a waiting job; else 0."""
        row = self._one(
            "SELECT count(*) AS ahead FROM jobs AS other, jobs AS own"
            " WHERE own.id = ? AND own.state = ? AND other.lane = own.lane"
            " AND other.owner_pid = own.owner_pid AND other.owner_started = own.owner_started"
            " AND (other.state = ? OR (other.state = ? AND other.place < own.place))",
            job_id,
            QUEUED,
            RUNNING,
            QUEUED,
        )
        return int(row["ahead"]) if row is not None else 0

    def interrupt_queued(self) -> None:
        """Marks this process's waiting jobs as interrupted: it is about to end."""
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET state = ? WHERE state = ? AND owner_pid = ? AND owner_started = ?",
                (INTERRUPTED, QUEUED, *self._owner_key()),
            )

    def _interrupt_orphans(self) -> None:
        owners = self._all(
            "SELECT DISTINCT owner_pid, owner_started FROM jobs WHERE state IN (?, ?)", *ACTIVE
        )
        for pid, started in owners:
            if Owner(pid, started).is_alive():
                continue
            with self._writing() as database:
                count = database.execute(
                    "UPDATE jobs SET state = ?, eta_s = NULL, cancel_requested = 0"
                    " WHERE state IN (?, ?) AND owner_pid = ? AND owner_started = ?",
                    (INTERRUPTED, *ACTIVE, pid, started),
                ).rowcount
            logger.info("%d jobs were interrupted when process %d ended", count, pid)

    def _append_log(self, database: sqlite3.Connection, job_id: str, lines: Sequence[str]) -> None:
        if not lines:
            return
        database.executemany(
            "INSERT INTO job_log (job_id, line) VALUES (?, ?)",
            [(job_id, line[:_LOG_LINE_CHARACTERS]) for line in lines[-_LOG_LINES:]],
        )
        database.execute(
            "DELETE FROM job_log WHERE number IN (SELECT number FROM job_log WHERE job_id = ?"
            " ORDER BY number DESC LIMIT -1 OFFSET ?)",
            (job_id, _LOG_LINES),
        )

    def _owner_key(self) -> tuple[int, float]:
        return self.owner.pid, self.owner.started

    def _one(self, query: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection().execute(query, values).fetchone()
        return row

    def _all(self, query: str, *values: Any) -> Sequence[sqlite3.Row]:
        return self._connection().execute(query, values).fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that other writers wait for; undone if the block raises."""
        database = self._connection()
        with _disk_errors(self.path):
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # a full disk has undone it already
                    database.execute("ROLLBACK")
                raise

    def _connection(self) -> sqlite3.Connection:
        """This thread's own; closed when the thread ends."""
        if not hasattr(self._threads, "own"):
            self._threads.own = _ThreadsConnection(self.path)
        own: _ThreadsConnection = self._threads.own
        return own.connection


class _ThreadsConnection:
    """A connection that closes as soon as its thread is gone.

    Left alone it would stay open until the garbage collector comes by, since it refers to itself.
    """

    def __init__(self, path: Path) -> None:
        self.connection = connect(path)

    def __del__(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" not in str(error):
            raise
        raise DiskFullError(
            _("There was no room on the disk to keep the list of jobs."),
            _("Free some space where {parent} lies and try again.", parent=path.parent),
        ) from error


def _job(row: sqlite3.Row, log: tuple[str, ...] = ()) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        title=row["title"],
        state=row["state"],
        created=row["created"],
        payload=json.loads(row["payload"]),
        fraction=row["fraction"],
        message=row["message"],
        eta_s=row["eta_s"],
        started=row["started"],
        finished=row["finished"],
        result=None if row["result"] is None else json.loads(row["result"]),
        error=row["error"],
        hint=row["hint"],
        log=log,
        cancel_requested=bool(row["cancel_requested"]),
        page=row["page"],
    )
