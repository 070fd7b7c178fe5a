from __future__ import annotations

import sys
from pathlib import Path

import pytest

from installer.python_choice import (
    python_candidates,
    version_of_command,
    wanted_python,
    wrong_python_message,
)


def test_takes_the_first_candidate_that_starts_a_supported_version() -> None:
    versions = {"python3.11": None, "python3.12": (3, 12), "python3.10": (3, 10)}
    candidates = [["python3.11"], ["python3.12"], ["python3.10"]]
    assert wanted_python(candidates, lambda command: versions[command[0]]) == ["python3.12"]


def test_a_name_that_starts_another_version_is_not_believed() -> None:
    assert wanted_python([["python3.11"]], lambda command: (3, 13)) is None


def test_the_studios_own_python_is_asked_first_then_by_preference() -> None:
    folder = Path("/studio/.venv")
    assert python_candidates("Linux", folder) == [
        [str(folder / "bin" / "python")],
        ["python3.11"],
        ["python3.12"],
        ["python3.10"],
    ]
    assert python_candidates("Windows", folder)[1] == ["py", "-3.11"]


def test_asks_the_command_itself(tmp_path: Path) -> None:
    assert version_of_command([sys.executable]) == sys.version_info[:2]
    assert version_of_command([str(tmp_path / "not-there")]) is None
    stand_in = tmp_path / "python3.12"  # as a version manager leaves it on PATH
    stand_in.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    stand_in.chmod(0o755)
    assert version_of_command([str(stand_in)]) is None


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
def test_the_message_says_which_python_and_how_to_get_it(system: str) -> None:
    message = wrong_python_message(system, (3, 13))
    assert "3.10, 3.11 or 3.12" in message
    assert "this is Python 3.13" in message
    assert "3.11" in message.split("Install one:")[1].splitlines()[0]
