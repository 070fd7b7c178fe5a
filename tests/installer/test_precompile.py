"""Bytecode is made once, whatever the surroundings say about writing it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from installer import precompile as module
from installer.commands import Commands, child_environment
from installer.environment import Environment
from installer.journal import Journal
from installer.precompile import precompile
from tests.installer.conftest import FakeCommands


def test_bytecode_may_be_written(
    environment: Environment, commands: FakeCommands, journal: Journal
) -> None:
    precompile(environment, commands, journal)  # type: ignore[arg-type]
    assert len(commands.ran_with("transformers.models.albert")) == 1
    assert commands.environments == [{"PYTHONDONTWRITEBYTECODE": ""}]


def test_it_is_written_and_a_package_that_fails_does_not_matter(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first_of_two.py").write_text("raise RuntimeError('no driver')\n")
    (tmp_path / "second_of_two.py").write_text("value = 1\n")
    monkeypatch.setattr(module, "_IMPORTED", ("first_of_two", "missing_one", "second_of_two"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "compiled"))

    class Here(Commands):
        def run(self, command, extra_environment=None, timeout_s=None):  # type: ignore[no-untyped-def, override]
            surroundings = child_environment(os.environ, extra_environment)
            subprocess.run(
                [sys.executable, *command[1:]],
                env={**surroundings, "PYTHONPATH": str(tmp_path)},
                check=True,
            )

    precompile(Environment(tmp_path / ".venv"), Here(journal), journal)
    assert list((tmp_path / "compiled").rglob("second_of_two*.pyc"))
