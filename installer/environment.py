"""The virtual environment in `.venv`: making it, and remaking what a broken-off run left."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from installer.commands import Commands, Outcome
from installer.errors import InstallError, explain_failure
from installer.integrity import drop_broken_distributions
from installer.journal import Journal
from installer.machine import Machine
from installer.python_choice import SUPPORTED_PYTHONS
from installer.system_packages import apt_install

_PROBE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Environment:
    """Where things lie in the virtual environment `folder`."""

    folder: Path
    windows: bool = sys.platform == "win32"

    @property
    def programs(self) -> Path:
        return self.folder / ("Scripts" if self.windows else "bin")

    @property
    def python(self) -> Path:
        return self.programs / ("python.exe" if self.windows else "python")

    @property
    def uv(self) -> Path:
        return self.programs / ("uv.exe" if self.windows else "uv")

    @property
    def site_packages(self) -> Path:
        """Raises InstallError where there is none (the environment was not made)."""
        pattern = "Lib/site-packages" if self.windows else "lib/python3*/site-packages"
        found = next(self.folder.glob(pattern), None)
        if found is None:
            raise InstallError(f"{self.folder} holds no site-packages.", "Delete it and try again.")
        return found

    def pip(self, *arguments: str) -> list[str]:
        return [str(self.python), "-m", "pip", *arguments]


def python_version(environment: Environment, commands: Commands) -> tuple[int, int] | None:
    """The version of the environment's Python; None if it does not run."""
    if not environment.python.exists():  # a dangling link does not exist either
        return None
    question = "import sys, encodings, venv; print('%d %d' % sys.version_info[:2])"
    outcome = commands.run([str(environment.python), "-c", question], timeout_s=_PROBE_TIMEOUT_S)
    answer = outcome.output.split()
    return (int(answer[0]), int(answer[1])) if outcome.ok and len(answer) == 2 else None


def ensure_environment(
    environment: Environment, machine: Machine, commands: Commands, journal: Journal
) -> list[str]:
    """Leaves a virtual environment with a Python that runs, pip, and no half-installed package.

    Returns the names of the packages that were half installed and now count as absent.
    """
    version = python_version(environment, commands)
    if version not in SUPPORTED_PYTHONS:
        if environment.folder.exists() or environment.folder.is_symlink():
            journal.say("Environment", "the one in .venv does not run; making it anew")
            _remove(environment.folder)
        _make(environment, machine, commands)
        journal.say("Environment", "made in .venv")
        return []
    dropped = drop_broken_distributions(environment.site_packages)
    if dropped:
        journal.say("Environment", "repairing, half installed: " + ", ".join(dropped))
    if not _has_pip(environment, commands):
        bootstrapped = commands.run([str(environment.python), "-m", "ensurepip", "--upgrade"])
        if not (bootstrapped.ok and _has_pip(environment, commands)):
            journal.say("Environment", "pip is broken; making .venv anew")
            _remove(environment.folder)
            _make(environment, machine, commands)
    return dropped


def _has_pip(environment: Environment, commands: Commands) -> bool:
    if next(environment.site_packages.glob("pip-*.dist-info"), None) is None:
        return False
    return commands.run(environment.pip("--version"), timeout_s=_PROBE_TIMEOUT_S).ok


def _make(environment: Environment, machine: Machine, commands: Commands) -> None:
    outcome = _make_once(environment, commands)
    if not outcome.ok and "ensurepip" in outcome.output:
        # Debian keeps ensurepip in a package of its own.
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        if not (machine.may_use_apt and apt_install([package], commands).ok):
            raise InstallError(
                "This Python cannot make virtual environments (ensurepip is missing).",
                f"Run `sudo apt-get install {package}`, then run the installer again.",
            )
        _remove(environment.folder)
        outcome = _make_once(environment, commands)
    if not outcome.ok:
        raise explain_failure("the virtual environment", outcome.output)


def _make_once(environment: Environment, commands: Commands) -> Outcome:
    # Started from inside .venv, this process must not make the environment out of itself.
    base_python = getattr(sys, "_base_executable", None) or sys.executable
    return commands.run([base_python, "-m", "venv", str(environment.folder)])


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
