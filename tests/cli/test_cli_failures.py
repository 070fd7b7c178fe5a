"""What the terminal shows when something is wrong with the machine: a sentence, no traceback."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from modules.cli.failures import explain, log_uncaught_errors, start_logging, use_utf8
from modules.cli.main import app, run
from modules.core_components.atomic import check_writable
from modules.core_components.errors import (
    BadInputError,
    DiskFullError,
    NotWritableError,
    StudioError,
)
from modules.ui.server import listening_socket

APP_FOLDER = Path(__file__).resolve().parents[2]
READ_ONLY = "mount -t tmpfs -o size=8m,ro tmpfs {}"
FULL = "mount -t tmpfs -o size=64k tmpfs {0}; head -c 200000 /dev/zero > {0}/x 2> /dev/null || true"
# These need no data root that can be written to.
_LOOK_ONLY = ("doctor", "--port", "clean")

Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Runs:
    """What came of every command, by what was wrong with the data root or the output."""

    folder: Path
    fine: Results
    read_only_root: Results
    full_root: Results
    read_only_out: Results
    full_out: Results


def can_mount() -> bool:
    """Whether this user may mount a disk in a namespace of their own."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rmn", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Every command, without a home, a network or a model, for each kind of disk that cannot be
    written to; where mounting is not permitted, on a good disk only."""
    folder = tmp_path_factory.mktemp("disks")
    (folder / "anna.wav").write_bytes(b"no sound")
    (folder / "talk.txt").write_text("Anna: Hi.\n", encoding="utf-8")
    (folder / "anna.pt").write_bytes(b"no voice")
    root, out, read_only, full = (folder / name for name in ("root", "out", "read-only", "full"))
    read_only.mkdir()
    full.mkdir()
    pairs = [(root, out)]
    before: list[str] = []
    if can_mount():
        pairs += [(read_only, out), (full, out), (root, read_only), (root, full)]
        mounts = f'{READ_ONLY.format(read_only)}; {FULL.format(full)}; exec "$@"'
        before = ["unshare", "-rmn", "sh", "-c", mounts, "sh"]
    places = [str(place) for pair in pairs for place in pair]
    ended = subprocess.run(
        [*before, sys.executable, "tests/cli/every_command.py", str(folder), *places],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=APP_FOLDER,
        env={
            "PATH": os.environ["PATH"],
            "VOICE_STUDIO_MODELS": str(folder / "models"),
            "PYTHONIOENCODING": "cp1252",
        },
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    found = json.loads(ended.stdout)
    return Runs(folder, *found, *([[]] * (5 - len(found))))


def first_errors(results: Results) -> set[str]:
    """The first lines of what commands without --json wrote to standard error, and the errors of
    the others."""
    return {
        json.loads(r["out"])["error"]
        if "--json" in r["words"]
        else r["err"].splitlines()[0].removeprefix("Error: ")
        for r in results
    }


def test_no_command_shows_a_traceback(runs: Runs) -> None:
    kinds = [runs.fine, runs.read_only_root, runs.full_root, runs.read_only_out, runs.full_out]
    for result in (result for results in kinds for result in results):
        shown = result["out"] + result["err"]
        assert "Traceback" not in shown, result
        assert "not foreseen" not in shown, result
        assert result["code"] in (0, 1), result
        if "--json" in result["words"]:
            assert all(json.loads(line) for line in result["out"].splitlines()), result
    codes = {" ".join(result["words"]): result["code"] for result in runs.fine}
    assert codes["voices list"] == codes["models list"] == codes["trash list --json"] == 0
    assert "99999 is not a valid port." in runs.fine[-1]["err"]


@pytest.mark.skipif(not can_mount(), reason="mounting is not permitted here")
def test_a_data_root_that_cannot_be_written_to_is_named(runs: Runs) -> None:
    read_only, full = runs.folder / "read-only", runs.folder / "full"
    reasons = {
        f"{read_only} cannot be written to: its disk is read-only.": runs.read_only_root,
        f"There was no room on the disk to write {full}.": runs.full_root,
    }
    for reason, results in reasons.items():
        working = [result for result in results if result["words"][0] not in _LOOK_ONLY]
        assert {result["code"] for result in working} == {1}
        assert first_errors(working) == {reason}
        (doctor,) = (result for result in results if result["words"][0] == "doctor")
        assert "PROBLEM Folders" in doctor["out"]


@pytest.mark.skipif(not can_mount(), reason="mounting is not permitted here")
def test_an_output_that_cannot_be_written_to_is_found_before_the_work(runs: Runs) -> None:
    reasons = {
        "{} cannot be written to: its disk is read-only.": ("read-only", runs.read_only_out),
        "There was no room on the disk to write {}.": ("full", runs.full_out),
    }
    for reason, (name, results) in reasons.items():
        place = runs.folder / name
        writing = [r for r in results if any(word.startswith(str(place)) for word in r["words"])]
        assert len(writing) == 11
        assert {result["code"] for result in writing} == {1}
        # No voice and no model is installed, which would be the next error: the place comes first.
        folders = (place, place / "texts", place / "cleaned", place / "said")
        assert first_errors(writing) == {reason.format(folder) for folder in folders}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where `start_logging` of this folder's cache writes; logging is afterwards as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield tmp_path / "cache" / "studio.log"
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)


def test_what_is_not_foreseen_is_a_sentence_and_the_logs_path(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(log.parent, verbose=True)

    def fail() -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("modules.cli.main.app", lambda standalone_mode: fail())
    assert run() == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "not foreseen (ZeroDivisionError: by zero)." in shown.err
    assert f"The log has the details: {log}" in shown.err
    assert "Traceback" not in shown.err
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_a_traceback_goes_to_the_log_only(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(log.parent, verbose=True)
    logger = logging.getLogger("modules.test")
    try:
        raise ValueError("no good")
    except ValueError:
        logger.exception("A stream broke")
        logger.error("Cannot start: %s", traceback.format_exc())  # noqa: TRY400 - as uvicorn does
    assert capsys.readouterr().err.splitlines() == [
        "ERROR: A stream broke The log has the details.",
        "ERROR: Cannot start:",
    ]
    assert log.read_text(encoding="utf-8").count("Traceback") == 2


def test_an_error_of_a_thread_goes_to_the_log(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(log.parent, verbose=True)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    log_uncaught_errors()
    thread = threading.Thread(target=lambda: 1 / 0, name="counting")
    thread.start()
    thread.join()
    shown = capsys.readouterr().err
    assert shown == "ERROR: counting failed. The log has the details.\n"
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/a.wav"), "no room on the disk"),
        (OSError(errno.EROFS, "Read-only", "/data/a.wav"), "/data cannot be written to: its disk"),
        (PermissionError(errno.EACCES, "Denied", "/data/a.wav"), "no right to write there"),
        (OSError(errno.ENAMETOOLONG, "Too long", "/data/aaa"), "too long"),
        (sqlite3.OperationalError("database or disk is full"), "no room on the disk"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "list of jobs"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "The package x is missing."),
        (MemoryError(), "not enough memory"),
        (OSError(errno.EIO, "Input/output error"), "not foreseen (OSError: [Errno 5]"),
        (RuntimeError(), "not foreseen (RuntimeError)."),
    ],
)
def test_errors_of_the_machine_are_explained(error: Exception, words: str) -> None:
    explained = explain(error)
    assert words in explained.message
    assert explained.hint


def test_output_is_utf8_whatever_the_locale_says(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding) for encoding in ("cp1252", "ascii")]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    use_utf8()
    for stream in streams:
        print("你好 \ud83d", file=stream, flush=True)
        assert stream.buffer.getvalue() == "你好 \\ud83d\n".encode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("port", ["99999", "-1", "65536", "-70000", "100000000000000000000"])
def test_an_invalid_port(tmp_path: Path, port: str) -> None:
    outcome = CliRunner().invoke(app, ["--data-root", str(tmp_path), "--port", port])
    assert outcome.exit_code == 1, outcome.output
    assert f"{port} is not a valid port." in outcome.output


@pytest.mark.parametrize("host", ["nonsense.invalid", "300.1.1.1", "a" * 80, "192.0.2.1", "::zz"])
def test_an_invalid_address(host: str) -> None:
    with pytest.raises(BadInputError, match="is not an address of this machine"):
        listening_socket(host, 0)


def test_of_two_studios_that_start_together_one_gets_the_port() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with listening_socket("127.0.0.1", port), pytest.raises(OSError, match="in use"):
            other.listen()
        with listening_socket("127.0.0.1", 0) as first:
            taken = first.getsockname()[1]
            with pytest.raises(StudioError, match=rf"^Port {taken} is taken\."):
                listening_socket("127.0.0.1", taken)


def test_a_folder_is_checked_without_being_made(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "newer", "")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DiskFullError, match="no room"):
        check_writable(tmp_path / "new", "", 2**60)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NotWritableError, match="it is a file") as refused:
        check_writable(file / "below", "Choose another.")
    assert refused.value.hint == "Choose another."
    with pytest.raises(NotWritableError, match="too long"):
        check_writable(tmp_path / ("a" * 300), "")


def test_without_the_packages_it_says_how_to_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-S", "-I", str(APP_FOLDER / "app.py"), "--help"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "Start with start.sh" in ended.stderr
