"""The container's files. No container runtime is needed: what a build and a start would run is run
here, with stand-ins for the commands that change a system."""

from __future__ import annotations

import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HADOLINT = Path(sys.executable).parent / "hadolint"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the container is Linux")


def stand_in(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def logical_lines() -> list[str]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `COPY . .` copies, as .dockerignore has it: nothing but the lines with "!"."""
    folder = tmp_path_factory.mktemp("context")
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    for name in (line[1:] for line in lines if line.startswith("!")):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint has no wheel for this machine")
def test_hadolint_finds_nothing() -> None:
    outcome = subprocess.run([HADOLINT, "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout


def test_both_targets_install_without_models_and_do_not_run_as_root() -> None:
    stages: dict[str, list[str]] = {}
    for line in logical_lines():
        if line.startswith("FROM"):
            lines = stages.setdefault(line.split()[-1], [])
        else:
            lines.append(line)
    assert list(stages) == ["base", "cuda", "cpu"]
    for build in ("cuda", "cpu"):
        assert f"RUN python smart_install.py --{build} --no-models" in stages[build][0]
        assert stages[build][-1] == "USER 1000"


def test_every_run_step_runs_in_a_clean_folder(context: Path, tmp_path: Path) -> None:
    commands = tmp_path / "commands"
    log = tmp_path / "log"
    for name in ("apt-get", "useradd", "install", "rm"):
        stand_in(commands / name, f'echo {name} "$@" >> {log}')
    # The real installer, which is only asked whether all is here: 1 says that it is not.
    stand_in(commands / "python", f'{sys.executable} "$@" --check; [ $? -eq 1 ]')
    before = tmp_path / "app"  # what is there when the installation runs
    before.mkdir()
    for line in logical_lines():
        if line.startswith("COPY") and not line.startswith("COPY . ."):
            *sources, _ = line.split()[1:]
            for source in sources:
                copy = shutil.copytree if (context / source).is_dir() else shutil.copy
                copy(context / source, before / source)  # type: ignore[operator]
    steps = [line.removeprefix("RUN ") for line in logical_lines() if line.startswith("RUN")]
    assert len(steps) == 4
    for step in steps:
        outcome = subprocess.run(
            ["/bin/sh", "-c", step], cwd=before, env={"PATH": f"{commands}:/usr/bin:/bin"},
            capture_output=True, text=True,
        )  # fmt: skip
        assert outcome.returncode == 0, (step, outcome.stderr)
    ran = log.read_text()
    assert "apt-get install -y --no-install-recommends ffmpeg" in ran
    for volume in re.findall(r"- \w+:(/data\S*)", (ROOT / "compose.yaml").read_text()):
        assert volume in next(line for line in ran.splitlines() if line.startswith("install"))


def test_the_studio_runs_on_what_is_copied(context: Path, tmp_path: Path) -> None:
    command = [sys.executable, "app.py", "--data-root", str(tmp_path), "models", "list", "--json"]
    outcome = subprocess.run(command, cwd=context, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert "kokoro-v1.0" in outcome.stdout


class TestStart:
    """start-container.sh, with a Python that writes down what it is to run."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        shutil.copy(ROOT / "start-container.sh", tmp_path)
        stand_in(tmp_path / ".venv/bin/python", f'shift; echo "$@" >> {tmp_path}/log')
        return tmp_path

    def start(
        self, folder: Path, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        given = {"PATH": "/usr/bin:/bin", "STUDIO_DATA": str(folder / "data"), **environment}
        return subprocess.run(
            ["bash", str(folder / "start-container.sh"), *arguments],
            env=given, capture_output=True, text=True,
        )  # fmt: skip

    def test_without_a_password_nothing_opens(self, folder: Path) -> None:
        outcome = self.start(folder)
        assert outcome.returncode == 2
        assert "Set a password" in outcome.stderr
        assert "STUDIO_PASSWORD" in outcome.stderr
        assert not (folder / "log").exists()

    def test_with_one_the_starter_models_come_first(self, folder: Path) -> None:
        assert self.start(folder, STUDIO_PASSWORD="secret").returncode == 0
        data = f"--data-root {folder}/data"
        assert (folder / "log").read_text().splitlines() == [
            f"{data} models download --starter",
            f"{data} --host 0.0.0.0 --port 7860 --no-browser",
        ]

    def test_port_and_models_are_chosen(self, folder: Path) -> None:
        self.start(folder, STUDIO_PASSWORD="x", STUDIO_PORT="5003", STUDIO_STARTER_MODELS="no")
        (line,) = (folder / "log").read_text().splitlines()
        assert line.endswith("--host 0.0.0.0 --port 5003 --no-browser")

    def test_models_that_did_not_come_do_not_keep_it_closed(self, folder: Path) -> None:
        fails = 'case "$*" in *--starter) exit 1; esac'
        stand_in(folder / ".venv/bin/python", f'echo "$@" >> {folder}/log; {fails}')
        outcome = self.start(folder, STUDIO_PASSWORD="x")
        assert outcome.returncode == 0
        assert "Models tab" in outcome.stderr
        assert "--no-browser" in (folder / "log").read_text()

    def test_arguments_are_a_command_of_the_terminal(self, folder: Path) -> None:
        assert self.start(folder, "voices", "list", "--json").returncode == 0
        logged = (folder / "log").read_text().strip()
        assert logged == f"--data-root {folder}/data voices list --json"

    def test_a_volume_of_somebody_else_is_named(self, folder: Path) -> None:
        (folder / "data").write_text("in the way of the folder")
        outcome = self.start(folder, STUDIO_PASSWORD="x")
        assert outcome.returncode == 2
        assert f"cannot write to {folder}/data" in outcome.stderr

    @pytest.mark.parametrize(("status", "result"), [(200, 0), (503, 1)])
    def test_health_is_that_of_the_server(self, folder: Path, status: int, result: int) -> None:
        python = folder / ".venv/bin/python"
        python.unlink()
        python.symlink_to(sys.executable)
        for port in answering(status):
            outcome = self.start(folder, "--health", STUDIO_PORT=str(port))
            assert outcome.returncode == result
        assert self.start(folder, "--health", STUDIO_PORT="1").returncode == 1


def answering(status: int) -> Iterator[int]:
    """The port of a server that answers /health so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
