"""The installation from beginning to end, on a machine whose commands are faked."""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import smart_install
from installer import steps
from installer.commands import Outcome
from installer.environment import Environment
from installer.machine import Machine
from installer.stamp import read_stamp
from installer.steps import DONE, FAILED, MODELS_MISSING, Options

ROOT = Path(smart_install.__file__).parent


class Workshop:
    """Does on disk what the real commands would, counts them, and breaks off where told to."""

    def __init__(self, root: Path) -> None:
        self.environment = Environment(root / ".venv", windows=False)
        self.ran: list[str] = []
        self.break_off_at = ""
        self.failing: dict[str, Outcome] = {}
        self.models_result = 0

    def run(
        self,
        command: Sequence[str],
        extra_environment: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Outcome:
        line = " ".join(command)
        self.ran.append(line)
        if self.break_off_at and self.break_off_at in line:
            raise KeyboardInterrupt
        for word, outcome in self.failing.items():
            if word in line:
                return outcome
        if "-m venv" in line:
            self.environment.programs.mkdir(parents=True)
            self.environment.python.touch()
            (self.environment.folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
            self._put_package("pip", "23.2.1")
        elif "version_info" in line:
            return Outcome(0, "3 11\n")
        elif "pip install uv" in line:
            self.environment.uv.touch()
        elif "pip install --no-compile" in line:
            version = line.split("=")[-1]
            self._put_package("torch", version)
            cuda = None if version.endswith("+cpu") else "13.0"
            (self.environment.site_packages / "torch").mkdir(exist_ok=True)
            (self.environment.site_packages / "torch" / "version.py").write_text(
                f"__version__ = '{version}'\ncuda: Optional[str] = {cuda!r}\n"
            )
        return Outcome(0, "")

    def show(self, command: Sequence[str]) -> int:
        self.ran.append(" ".join(command))
        return self.models_result

    def _put_package(self, name: str, version: str) -> None:
        for old in self.environment.site_packages.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        dist_info = self.environment.site_packages / f"{name}-{version}.dist-info"
        dist_info.mkdir()
        (dist_info / "INSTALLER").write_text("pip\n")
        (dist_info / "RECORD").write_text(f"{dist_info.name}/RECORD,,\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "the studio"
    shutil.copytree(ROOT / "installer", root / "installer")
    for name in (
        "smart_install.py",
        "requirements.txt",
        "requirements-cuda.txt",
        "requirements-cluster.txt",
        "requirements-dev.txt",
    ):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture
def workshop(root: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    workshop = Workshop(root)
    monkeypatch.setattr(steps, "Commands", lambda journal, lock_fd: workshop)
    monkeypatch.setattr(steps, "Environment", lambda folder: workshop.environment)
    monkeypatch.setattr(steps, "find_machine", lambda commands: Machine("Linux", "x86_64"))
    return workshop


def run(root: Path, **wishes: object) -> tuple[int, str]:
    screen = io.StringIO()
    return steps.install(root, Options(**wishes), screen), screen.getvalue()


def test_from_nothing_to_a_studio_that_is_up_to_date(root: Path, workshop: Workshop) -> None:
    assert not steps.is_up_to_date(root)
    result, screen = run(root)
    assert result == DONE
    assert steps.is_up_to_date(root)
    assert "PyTorch      2.13.0+cpu installed" in screen
    assert workshop.ran[-1].endswith("app.py models download --starter")
    assert "2.13.0+cpu installed" in (root / "install.log").read_text()


def test_the_second_run_installs_nothing(root: Path, workshop: Workshop) -> None:
    run(root)
    workshop.ran.clear()
    assert run(root)[0] == DONE
    installs = [line for line in workshop.ran if " install " in line or "-m venv" in line]
    assert len(installs) == 1  # uv's own check that everything is there
    assert installs[0].startswith(str(workshop.environment.uv))
    assert not [line for line in workshop.ran if "import torchaudio" in line]


@pytest.mark.parametrize(
    "place",
    ["-m venv", "pip install uv", "pip install --no-compile", "--requirement", "import torchaudio"],
)
def test_a_run_that_broke_off_is_finished_by_the_next(
    root: Path, workshop: Workshop, place: str
) -> None:
    workshop.break_off_at = place
    with pytest.raises(KeyboardInterrupt):
        run(root)
    assert not steps.is_up_to_date(root)
    workshop.break_off_at = ""
    assert run(root)[0] == DONE
    assert steps.is_up_to_date(root)


def test_an_update_that_broke_off_is_not_taken_for_finished(root: Path, workshop: Workshop) -> None:
    run(root)
    with (root / "requirements.txt").open("a") as requirements:
        requirements.write("one-more\n")
    assert not steps.is_up_to_date(root)
    workshop.break_off_at = "--requirement"
    with pytest.raises(KeyboardInterrupt):
        run(root)
    assert read_stamp(workshop.environment.folder) is None


def test_a_repair_that_broke_off_is_not_taken_for_finished(root: Path, workshop: Workshop) -> None:
    run(root)
    shutil.rmtree(next(workshop.environment.site_packages.glob("torch-*.dist-info")))
    workshop.break_off_at = "pip install --no-compile"
    with pytest.raises(KeyboardInterrupt):
        run(root)
    assert not steps.is_up_to_date(root)


def test_a_broken_python_is_replaced(root: Path, workshop: Workshop) -> None:
    run(root)
    workshop.environment.python.unlink()
    assert not steps.is_up_to_date(root)
    assert "making it anew" in run(root)[1]
    assert workshop.environment.python.exists()


def test_missing_starter_models_do_not_stop_the_studio(root: Path, workshop: Workshop) -> None:
    workshop.models_result = 1
    assert run(root)[0] == MODELS_MISSING
    assert steps.is_up_to_date(root)  # start.sh opens the studio, which tells about its models


def test_no_models_fetches_none(root: Path, workshop: Workshop) -> None:
    assert run(root, models=False)[0] == DONE
    assert not [line for line in workshop.ran if "app.py" in line]


def test_dev_and_the_build_of_torch_are_remembered(root: Path, workshop: Workshop) -> None:
    run(root, torch_wish="cpu", dev=True)
    workshop.ran.clear()
    run(root)
    assert any("requirements-dev.txt" in line for line in workshop.ran)
    stamp = read_stamp(workshop.environment.folder)
    assert stamp is not None
    assert (stamp.torch_wish, stamp.dev) == ("cpu", True)


def test_the_extra_for_clusters_is_remembered(root: Path, workshop: Workshop) -> None:
    run(root)
    assert not any("requirements-cluster.txt" in line for line in workshop.ran)
    run(root, cluster=True)
    workshop.ran.clear()
    run(root)
    assert any("requirements-cluster.txt" in line for line in workshop.ran)
    assert steps.is_up_to_date(root)


def test_another_wish_replaces_the_build(root: Path, workshop: Workshop) -> None:
    run(root)
    assert not any("requirements-cuda.txt" in line for line in workshop.ran)
    _result, screen = run(root, torch_wish="cuda")
    assert "PyTorch      2.13.0 installed" in screen
    assert any("requirements-cuda.txt" in line for line in workshop.ran)


def test_no_network_fails_with_what_to_do(root: Path, workshop: Workshop) -> None:
    workshop.failing["pip install uv"] = Outcome(1, "Name or service not known")
    result, screen = run(root)
    assert result == FAILED
    assert "No package registry answered" in screen
    assert "HTTPS_PROXY" in screen
    assert not steps.is_up_to_date(root)


def test_a_small_disk_fails_before_anything_is_fetched(
    root: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "needed_bytes", lambda *arguments: 10**15)
    result, screen = run(root)
    assert result == FAILED
    assert "GiB free" in screen
    assert workshop.ran == []


def test_the_wrong_python_hands_over_to_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def call(command: list[str]) -> int:
        started.append(command)
        return 0

    monkeypatch.setattr(sys, "argv", ["smart_install.py", "--check"])
    monkeypatch.setattr("installer.python_choice.SUPPORTED_PYTHONS", ((3, 99),))
    monkeypatch.setattr("installer.python_choice.version_of_command", lambda command: (3, 99))
    monkeypatch.setattr(subprocess, "call", call)
    assert smart_install.main() == 0
    assert started[0][1:] == [str(ROOT / "smart_install.py"), "--check"]


def test_no_right_python_at_all_is_said_clearly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["smart_install.py"])
    monkeypatch.setattr("installer.python_choice.SUPPORTED_PYTHONS", ((3, 99),))
    monkeypatch.setattr("installer.python_choice.version_of_command", lambda command: None)
    assert smart_install.main() == 1
    assert "needs Python 3.10, 3.11 or 3.12" in capsys.readouterr().out


def test_cpu_and_cuda_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["smart_install.py", "--cpu", "--cuda"])
    with pytest.raises(SystemExit):
        smart_install.main()


def test_an_old_python_can_still_read_the_installer() -> None:
    """Python 3.8 must come as far as the message that names the right one."""
    for path in [ROOT / "smart_install.py", *(ROOT / "installer").glob("*.py")]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_torch_is_named_once_more_in_the_requirements() -> None:
    from installer.torch_choice import TORCH_VERSION

    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert f"torch=={TORCH_VERSION}" in lines


def test_every_requirement_has_an_upper_bound() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-cluster.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            requirement = line.split("#")[0].split(";")[0].strip()
            assert not requirement or "==" in requirement or "<" in requirement, line
