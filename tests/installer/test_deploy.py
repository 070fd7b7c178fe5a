"""deploy/: each file can be read, and what it names exists in the program. Nothing is started."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from modules.api.security import METRICS, OPEN, is_api_path
from modules.cli.main import app
from modules.core_components.settings import Settings, describe_settings
from tests.installer.test_container import HADOLINT, stand_in

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
ENTRY = (ROOT / "start-container.sh").read_text()
NODE = DEPLOY / "ray-node.sh"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these run on Linux")


def read(name: str) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((DEPLOY / name).read_text())
    return [document for document in documents if document]


def services(name: str) -> dict[str, dict[str, Any]]:
    (compose,) = read(name)
    found: dict[str, dict[str, Any]] = compose["services"]
    for service in found.values():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            assert (
                (DEPLOY / source).exists()
                if source.startswith(".")
                else source in compose["volumes"]
            )
            assert target.startswith(("/data", "/etc/caddy"))
        assert set(service.get("depends_on", ())) <= set(found)
    return found


def environment_names() -> set[str]:
    """The variables that the studio, its entry points and Ray read."""
    command = typer.main.get_command(app)
    options = {name for option in command.params for name in _names(option.envvar)}
    return options | set(re.findall(r"\b(?:STUDIO|RAY)_[A-Z_]+", ENTRY + NODE.read_text()))


def _names(given: str | list[str] | None) -> list[str]:
    return [given] if isinstance(given, str) else list(given or ())


def check_command(words: list[str]) -> None:
    """Fails for a command or an option that the terminal does not have."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
        elif word.startswith("--"):
            known = {
                name for option in command.params for name in (*option.opts, *option.secondary_opts)
            }
            assert word in known, f"{command.name} has no {word}"
    assert not getattr(command, "commands", {}), f"{words} names no command"


@pytest.mark.parametrize("name", ["compose.replicas.yaml", "compose.cluster.yaml"])
def test_a_compose_file_names_what_there_is(name: str) -> None:
    for service in services(name).values():
        assert set(service.get("environment", ())) <= environment_names()
        if "build" in service:
            assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
            file = ROOT / service["build"].get("dockerfile", "Dockerfile")
            target = service["build"].get("target")
            assert target is None or f" AS {target}\n" in file.read_text()
        words = service.get("command", [])
        if words and words[0] not in ("head", "worker"):
            check_command(words)


def test_replicas_drain_before_they_are_killed_and_the_balancer_knows_them() -> None:
    found = services("compose.replicas.yaml")
    replicas = {name for name in found if name.startswith("studio")}
    assert len(replicas) >= 2
    for name in replicas:
        grace_s = int(found[name]["stop_grace_period"].removesuffix("s"))
        assert grace_s > int(found[name]["environment"]["STUDIO_DRAIN_SECONDS"])
    caddyfile = (DEPLOY / "Caddyfile").read_text()
    (upstreams,) = re.findall(r"reverse_proxy ([^{]+) \{", caddyfile)
    assert set(upstreams.split()) == {f"{name}:7860" for name in replicas}
    (monitored,) = read("prometheus.yaml")
    (job,) = monitored["scrape_configs"]
    assert job["metrics_path"] == METRICS
    assert set(job["static_configs"][0]["targets"]) == set(upstreams.split())
    port = found["balancer"]["ports"][0].rpartition(":")[2]
    assert f"\n:{port} {{" in caddyfile


def test_the_caddyfile_is_balanced_and_its_paths_are_the_apis() -> None:
    lines = [line.strip() for line in (DEPLOY / "Caddyfile").read_text().splitlines()]
    depth, directives = 0, set()
    for line in lines:
        if line and not line.startswith("#"):
            directives.add(line.split()[0])
            code = re.sub(r"`[^`]*`|\{err\.\w+\}", "", line)
            depth += code.count("{") - code.count("}")
            assert depth >= 0
    assert depth == 0
    assert directives <= {
        *("{", "}", "admin", "auto_https", ":8080", "@shared", "handle", "reverse_proxy"),
        *("lb_policy", "health_uri", "health_interval", "health_timeout", "fail_duration"),
        *("max_fails", "lb_try_duration", "lb_try_interval", "flush_interval", "respond"),
        *("handle_errors", "header"),
    }
    (shared,) = (line for line in lines if line.startswith("@shared path"))
    assert all(is_api_path(path.rstrip("*")) for path in shared.split()[2:])
    assert "health_uri /ready" in lines
    assert "/ready" in OPEN


def test_the_kubernetes_manifest_fits_the_image() -> None:
    claim, cluster = read("raycluster.yaml")
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    required = (ROOT / "requirements-cluster.txt").read_text()
    low, high = re.findall(r"ray>=([\d.]+),<([\d.]+)", required)[0]
    version = tuple(map(int, cluster["spec"]["rayVersion"].split(".")))
    assert tuple(map(int, low.split("."))) <= version < tuple(map(int, high.split(".")))
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    for pod in pods:
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        name = volumes["data"]["persistentVolumeClaim"]["claimName"]
        assert name == claim["metadata"]["name"]
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
            names = {item["name"] for item in container["env"]}
            assert names <= environment_names()
            assert "RAY_AUTH_TOKEN" in names
    studio = pods[0]["containers"][1]
    assert studio["command"] == ["bash", "/app/start-container.sh"]
    assert studio["readinessProbe"]["httpGet"]["path"] in OPEN
    assert studio["livenessProbe"]["httpGet"]["path"] in OPEN


def test_options_of_ray_exist() -> None:
    spec = importlib.util.find_spec("ray")
    if spec is None or spec.origin is None:
        pytest.skip("the extra for clusters is not installed")
    scripts = (Path(spec.origin).parent / "scripts" / "scripts.py").read_text()
    for name in ("ray-node.sh", "slurm.sbatch"):
        text = re.sub(r"\\\n\s*", "", (DEPLOY / name).read_text())
        for line in re.findall(r'"\$\w+(?:/\.venv/bin/ray)?" start (.*)', text):
            for option in re.findall(r"--[\w-]+", line):
                assert f'"{option}"' in scripts, option
    assert '"health-check"' in scripts or "healthcheck" in scripts


def test_the_slurm_script_is_a_shell_script_and_names_a_command() -> None:
    script = DEPLOY / "slurm.sbatch"
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    text = re.sub(r"\\\n\s*", "", script.read_text())
    (line,) = re.findall(r'"\$studio/app\.py" (.*)', text)
    check_command([word.strip('"') for word in line.split()])


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint has no wheel for this machine")
def test_hadolint_finds_nothing() -> None:
    outcome = subprocess.run(
        [HADOLINT, "Dockerfile.cluster"], cwd=DEPLOY, capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stdout


def test_settings_that_the_pages_name_exist() -> None:
    text = (DEPLOY / "README.md").read_text() + (DEPLOY / "compose.cluster.yaml").read_text()
    labels = {item.label for item in describe_settings()}
    assert "Where heavy work runs" in labels
    assert "here heavy work runs" in text
    assert "model_settings" in Settings.model_fields
    for line in re.findall(r"`(models configure [^`]+)`", text):
        check_command(line.split())
    for file in re.findall(r"\]\((\.\./[\w/.]+)\)", text):
        assert (DEPLOY / file).exists(), file


@pytest.mark.parametrize("page", ["remotes.md", "scale.md"])
def test_commands_of_the_pages_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    lines = re.findall(r"^python app\.py ([^#\n]+)", text, re.MULTILINE)
    assert lines
    for line in lines:
        check_command(shlex.split(line))


class TestNode:
    """ray-node.sh, with a Ray and a Python that write down what they are to run."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "deploy").mkdir()
        for name in ("deploy/ray-node.sh", "start-container.sh"):
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        for name in ("ray", "python"):
            stand_in(tmp_path / ".venv/bin" / name, f'echo {name} "$@" >> {tmp_path}/log')
        return tmp_path

    def run(self, folder: Path, *words: str, **environment: str) -> tuple[int, list[str], str]:
        given = {"PATH": os.environ["PATH"], "STUDIO_DATA": str(folder / "data"), **environment}
        outcome = subprocess.run(
            ["bash", str(folder / "deploy/ray-node.sh"), *words],
            env=given, capture_output=True, text=True,
        )  # fmt: skip
        log = folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return outcome.returncode, lines, outcome.stderr

    def test_a_head_starts_ray_and_then_the_studio(self, folder: Path) -> None:
        code, lines, _ = self.run(
            folder, "head", STUDIO_PASSWORD="x", RAY_AUTH_MODE="token", STUDIO_STARTER_MODELS="no"
        )
        assert code == 0
        assert lines[0].startswith("ray start --head --port 6379")
        assert lines[1].endswith("--host 0.0.0.0 --port 7860 --no-browser")

    def test_a_worker_joins_its_head(self, folder: Path) -> None:
        code, lines, _ = self.run(folder, "worker", "head:6379", RAY_AUTH_MODE="token")
        assert code == 0
        assert lines == ["ray start --address head:6379 --block --disable-usage-stats"]
        assert self.run(folder, "worker", RAY_AUTH_MODE="token")[0] == 2

    @pytest.mark.parametrize("words", [["head"], ["worker", "head:6379"]])
    def test_without_a_token_nothing_starts(self, folder: Path, words: list[str]) -> None:
        code, lines, error = self.run(folder, *words, STUDIO_PASSWORD="x")
        assert (code, lines) == (2, [])
        assert "RAY_AUTH_TOKEN" in error

    def test_anything_else_is_a_command_of_the_terminal(self, folder: Path) -> None:
        code, lines, _ = self.run(folder, "models", "list")
        assert code == 0
        assert lines[0].endswith("models list")
