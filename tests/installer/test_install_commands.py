from __future__ import annotations

import sys
from pathlib import Path

import pytest

from installer.commands import NOT_FOUND, Commands, child_environment
from installer.errors import DiskFullInstallError, explain_failure


def python(*lines: str) -> list[str]:
    return [sys.executable, "-c", "\n".join(lines)]


def test_captures_both_outputs_and_logs_them(tmp_path: Path, journal) -> None:
    outcome = Commands(journal).run(
        python("import sys", "print('one')", "print('two', file=sys.stderr)", "sys.exit(7)")
    )
    assert outcome.returncode == 7
    assert not outcome.ok
    assert sorted(outcome.output.splitlines()) == ["one", "two"]
    log = (tmp_path / "install.log").read_text()
    assert "  one\n" in log
    assert "-> 7 after" in log


def test_a_program_that_is_not_there_is_an_outcome(tmp_path: Path, journal) -> None:
    assert Commands(journal).run([str(tmp_path / "nothing")]).returncode == NOT_FOUND
    assert Commands(journal).show([str(tmp_path / "nothing")]) == NOT_FOUND


def test_a_program_that_hangs_is_killed(journal) -> None:
    never_ends = python("import threading", "threading.Event().wait()")
    assert Commands(journal).run(never_ends, timeout_s=0.2).returncode < 0


def test_standard_input_is_closed(journal) -> None:
    assert Commands(journal).run(python("input()")).returncode == 1


def test_only_the_last_lines_are_kept(journal) -> None:
    lines = Commands(journal).run(python("for i in range(1000): print(i)")).output.splitlines()
    assert lines[-1] == "999"
    assert len(lines) < 1000


def test_children_see_no_foreign_packages() -> None:
    environment = child_environment(
        {"PYTHONPATH": "/foreign", "PIP_USER": "1", "HTTPS_PROXY": "http://proxy"}, {"EXTRA": "1"}
    )
    assert "PYTHONPATH" not in environment
    assert environment["PIP_USER"] == "0"
    assert environment["HTTPS_PROXY"] == "http://proxy"
    assert environment["EXTRA"] == "1"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("[Errno -2] Name or service not known", "No package registry answered"),
        ("error sending request for url\n dns error", "No package registry answered"),
        ("ERROR: No matching distribution found for torch==9", "no fitting build"),
        ("building\nerror: gcc failed\n\n", "error: gcc failed"),
        ("", "could not be installed"),
    ],
)
def test_failures_are_explained(output: str, message: str) -> None:
    error = explain_failure("PyTorch", output)
    assert message in error.message
    assert "PyTorch" in error.message
    assert error.hint


def test_a_registry_that_was_not_reached_is_the_network_not_a_missing_build() -> None:
    output = "Failed to establish a new connection\nERROR: No matching distribution found for uv"
    assert "No package registry answered" in explain_failure("uv", output).message


def test_a_full_disk_has_a_class_of_its_own() -> None:
    assert isinstance(explain_failure("uv", "No space left on device"), DiskFullInstallError)
