"""The tables of the jobs database, and opening it."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from modules.core_components.errors import StudioError

logger = logging.getLogger(__name__)

VERSION = 1
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
    owner_started REAL NOT NULL
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
                "The list of jobs was written by a newer version of the studio.",
                f"Update the studio, or move {path} away.",
            )
        if version == 0:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()


def _set_aside(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(part.with_name(f"{part.name}.damaged"))
