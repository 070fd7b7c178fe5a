"""What the installer's tests share: a machine on which commands end as the test says."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from installer.commands import Outcome
from installer.environment import Environment
from installer.journal import Journal

Answer = Outcome | Callable[[], Outcome]


class FakeCommands:
    """Answers commands by a word they contain, in the order the rules were given."""

    def __init__(self) -> None:
        self.rules: list[tuple[str, Answer]] = []
        self.ran: list[str] = []
        self.environments: list[dict[str, str]] = []
        self.show_result = 0

    def answer(self, word: str, answer: Answer) -> None:
        self.rules.append((word, answer))

    def run(
        self,
        command: Sequence[str],
        extra_environment: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Outcome:
        line = " ".join(command)
        self.ran.append(line)
        self.environments.append(dict(extra_environment or {}))
        for word, answer in self.rules:
            if word in line:
                return answer if isinstance(answer, Outcome) else answer()
        return Outcome(0, "")

    def show(self, command: Sequence[str]) -> int:
        self.ran.append(" ".join(command))
        return self.show_result

    def ran_with(self, word: str) -> list[str]:
        return [line for line in self.ran if word in line]


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def journal(tmp_path: Path, screen: io.StringIO) -> Iterator[Journal]:
    journal = Journal(tmp_path / "install.log", screen)
    yield journal
    journal.close()


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A virtual environment's folders, with nothing that runs."""
    environment = Environment(tmp_path / ".venv", windows=False)
    (environment.folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    environment.programs.mkdir()
    environment.python.touch()
    return environment


@pytest.fixture
def put_torch(environment: Environment) -> Callable[..., None]:
    """Puts an installed torch into the environment, as its files look on disk."""

    def put(version: str, cuda: str | None = None) -> None:
        for old in environment.site_packages.glob("torch-*.dist-info"):
            old.rmdir()
        (environment.site_packages / f"torch-{version}.dist-info").mkdir()
        (environment.site_packages / "torch").mkdir(exist_ok=True)
        (environment.site_packages / "torch" / "version.py").write_text(
            f"from typing import Optional\n__version__ = '{version}'\ndebug = False\n"
            f"cuda: Optional[str] = {cuda!r}\ngit_version = 'cf30'\n"
        )

    return put
