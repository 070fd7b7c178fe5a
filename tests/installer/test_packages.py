from __future__ import annotations

from pathlib import Path

import pytest

from installer.commands import Outcome
from installer.errors import DiskFullInstallError, InstallError
from installer.packages import (
    ensure_requirements,
    ensure_uv,
    forget_cached,
    parse_pip_config,
    uv_environment,
)
from installer.torch_install import InstalledTorch

TORCH = InstalledTorch("2.13.0+cpu", None)


def test_pips_settings_with_the_environment_strongest() -> None:
    text = (
        ":env:.find-links='/env/wheels'\n"
        "global.find-links='/opt/wheels'\n"
        "global.index-url='https://mirror.example/simple'\n"
        "global.extra-index-url='\\nfile:///a/simple\\nfile:///b/simple'\n"
        "install.index-url='https://install.example/simple'\n"
        "download.index-url='https://download.example/simple'\n"
    )
    assert parse_pip_config(text) == {
        "find-links": "/env/wheels",
        "index-url": "https://install.example/simple",
        "extra-index-url": "file:///a/simple file:///b/simple",
    }


def test_pips_warnings_are_no_settings() -> None:
    assert parse_pip_config("WARNING: global.index-url is odd\nglobal.x=not a literal\n") == {}


def test_uv_looks_where_pip_looks() -> None:
    settings = {
        "index-url": "https://mirror.example/simple",
        "extra-index-url": "file:///a file:///b",
        "find-links": "/opt/wheels /more",
        "timeout": "60",
    }
    assert uv_environment(settings, {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "file:///a file:///b",
        "UV_FIND_LINKS": "/opt/wheels,/more",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_what_the_user_set_for_uv_wins() -> None:
    settings = {"index-url": "https://mirror.example/simple"}
    assert uv_environment(settings, {"UV_DEFAULT_INDEX": "https://mine.example"}) == {}
    assert uv_environment({}, {}) == {}


def test_uv_is_installed_when_it_does_not_run(environment, commands, journal) -> None:
    ensure_uv(environment, commands, journal)
    assert commands.ran_with("-m pip install uv>=")
    environment.uv.touch()
    commands.ran.clear()
    ensure_uv(environment, commands, journal)
    assert not commands.ran_with(" install ")
    commands.answer("--version", Outcome(127, "cut short"))
    ensure_uv(environment, commands, journal)
    assert commands.ran_with("-m pip install uv>=")


def test_no_network_is_found_out_at_uv(environment, commands, journal) -> None:
    commands.answer(" install ", Outcome(1, "Name or service not known"))
    with pytest.raises(InstallError, match="No package registry answered"):
        ensure_uv(environment, commands, journal)


def test_damaged_packages_are_not_taken_out_of_the_cache_again(environment, commands) -> None:
    forget_cached(environment, [], commands)
    assert commands.ran == []
    forget_cached(environment, ["rich", "gradio"], commands)
    assert commands.ran == [f"{environment.uv} cache clean rich gradio"]


def install(environment, commands, journal) -> None:
    requirements = [Path("requirements.txt"), Path("requirements-dev.txt")]
    ensure_requirements(environment, requirements, TORCH, {}, commands, journal)


def test_uv_installs_everything_but_never_another_torch(environment, commands, journal) -> None:
    commands.answer("pip config list", Outcome(0, "global.find-links='/opt/wheels'\n"))
    install(environment, commands, journal)
    assert commands.ran[-1].startswith(f"{environment.uv} pip install --python")
    assert commands.ran[-1].endswith(
        "--requirement requirements.txt --requirement requirements-dev.txt"
    )
    constraint = commands.ran[-1].split("--constraint ")[1].split(" --")[0]
    assert Path(constraint).read_text() == "torch==2.13.0+cpu\n"
    assert commands.environments[-1] == {"UV_FIND_LINKS": "/opt/wheels"}


def test_pip_takes_over_when_uv_cannot(environment, commands, journal) -> None:
    commands.answer(f"{environment.uv} pip install", Outcome(2, "error: unsupported index"))
    install(environment, commands, journal)
    assert "-m pip install --constraint" in commands.ran[-1]


def test_when_neither_can_the_error_tells_the_last_line(environment, commands, journal) -> None:
    commands.answer(" install ", Outcome(1, "working\nerror: metadata is broken\n"))
    with pytest.raises(InstallError, match="metadata is broken"):
        install(environment, commands, journal)


def test_a_full_disk_is_not_tried_again(environment, commands, journal) -> None:
    commands.answer("uv pip install", Outcome(1, "No space left on device (os error 28)"))
    with pytest.raises(DiskFullInstallError):
        install(environment, commands, journal)
    assert not commands.ran_with("-m pip install")
