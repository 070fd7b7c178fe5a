"""The command line on a studio of fakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from modules.tools.services import Services
from tests.helpers.fakes import fake_studio

# Runs a command with --json and returns the one object it prints.
Command = Callable[..., dict[str, Any]]


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    services, _ = fake_studio(tmp_path / "data")
    monkeypatch.setattr("modules.tools.services.open_services", lambda root: services)
    yield services
    services.close()
    reset_managers()


@pytest.fixture
def command(services: Services) -> Command:
    def run(*words: str, code: int = 0) -> dict[str, Any]:
        given = ["--data-root", str(services.settings.root), *words, "--json"]
        outcome = CliRunner().invoke(app, given)
        assert outcome.exit_code == code, outcome.output
        (line,) = outcome.stdout.splitlines()
        return dict(json.loads(line))

    return run


@pytest.fixture
def words(services: Services) -> Callable[..., str]:
    """Runs a command without --json and returns what it prints for people."""

    def run(*words: str, code: int = 0) -> str:
        outcome = CliRunner().invoke(app, ["--data-root", str(services.settings.root), *words])
        assert outcome.exit_code == code, outcome.output
        return outcome.output

    return run
