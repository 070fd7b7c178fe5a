from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from installer.commands import Commands, Outcome
from installer.environment import Environment, ensure_environment, python_version
from installer.errors import InstallError
from installer.machine import Machine

LINUX = Machine("Linux", "x86_64")
DEBIAN_ROOT = Machine("Linux", "x86_64", is_root=True, package_manager="apt-get")
RUNS = Outcome(0, "3 11\n")
PYTHON_RUNS = "version_info"


@pytest.fixture
def with_pip(environment: Environment) -> Environment:
    dist_info = environment.site_packages / "pip-23.2.1.dist-info"
    dist_info.mkdir()
    (dist_info / "INSTALLER").write_text("pip\n")
    (dist_info / "RECORD").write_text("pip-23.2.1.dist-info/RECORD,,\n")
    return environment


def test_where_things_lie() -> None:
    folder = Path("studio") / ".venv"
    assert Environment(folder, windows=True).python == folder / "Scripts" / "python.exe"
    assert Environment(folder, windows=False).uv == folder / "bin" / "uv"


def test_a_real_environment_runs_and_one_with_a_dangling_link_does_not(
    tmp_path: Path, journal
) -> None:
    environment = Environment(tmp_path / ".venv")
    commands = Commands(journal)
    commands.run([sys.executable, "-m", "venv", "--without-pip", str(environment.folder)])
    assert python_version(environment, commands) == sys.version_info[:2]
    environment.python.unlink()
    environment.python.symlink_to(tmp_path / "a-python-that-was-removed")
    assert python_version(environment, commands) is None


def test_a_healthy_environment_is_left_alone(with_pip, commands, journal) -> None:
    commands.answer(PYTHON_RUNS, RUNS)
    ensure_environment(with_pip, LINUX, commands, journal)
    assert not commands.ran_with("-m venv")
    assert not commands.ran_with("ensurepip")


@pytest.mark.parametrize("answer", [Outcome(1, "no encodings"), Outcome(0, "3 13\n")])
def test_an_environment_that_cannot_run_the_studio_is_made_anew(
    with_pip, commands, journal, answer: Outcome
) -> None:
    commands.answer(PYTHON_RUNS, answer)
    ensure_environment(with_pip, LINUX, commands, journal)
    assert not with_pip.folder.exists()  # the fake makes nothing in its place
    assert commands.ran_with(f"-m venv {with_pip.folder}")


def test_a_link_in_its_place_is_removed_and_not_what_it_points_to(
    tmp_path: Path, commands, journal
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = Environment(tmp_path / "linked", windows=False)
    environment.folder.symlink_to(elsewhere)
    ensure_environment(environment, LINUX, commands, journal)
    assert elsewhere.is_dir()
    assert not environment.folder.is_symlink()


def test_pip_comes_back_from_pythons_own_copy(environment, commands, journal) -> None:
    def bootstrap() -> Outcome:
        (environment.site_packages / "pip-23.2.1.dist-info").mkdir()
        return Outcome(0, "")

    commands.answer(PYTHON_RUNS, RUNS)
    commands.answer("ensurepip", bootstrap)
    ensure_environment(environment, LINUX, commands, journal)
    assert not commands.ran_with("-m venv")


def test_where_pip_cannot_come_back_the_environment_is_made_anew(
    environment, commands, journal
) -> None:
    commands.answer(PYTHON_RUNS, RUNS)
    commands.answer("ensurepip", Outcome(1, "No module named ensurepip"))
    ensure_environment(environment, LINUX, commands, journal)
    assert commands.ran_with("-m venv")


def test_half_installed_packages_count_as_absent(with_pip, commands, journal, screen) -> None:
    (with_pip.site_packages / "rich-15.0.0.dist-info").mkdir()
    commands.answer(PYTHON_RUNS, RUNS)
    assert ensure_environment(with_pip, LINUX, commands, journal) == ["rich"]
    assert not (with_pip.site_packages / "rich-15.0.0.dist-info").exists()
    assert "half installed: rich" in screen.getvalue()


def test_debians_missing_ensurepip_is_named(environment, commands, journal) -> None:
    shutil.rmtree(environment.folder)
    commands.answer("-m venv", Outcome(1, "ensurepip is not available"))
    with pytest.raises(InstallError) as caught:
        ensure_environment(environment, LINUX, commands, journal)
    assert "-venv" in caught.value.hint


def test_debians_missing_ensurepip_is_installed_by_root(environment, commands, journal) -> None:
    shutil.rmtree(environment.folder)
    outcomes = [Outcome(1, "ensurepip is not available"), Outcome(0, "")]
    commands.answer("-m venv", lambda: outcomes.pop(0))
    ensure_environment(environment, DEBIAN_ROOT, commands, journal)
    assert commands.ran_with("apt-get")
    assert outcomes == []
