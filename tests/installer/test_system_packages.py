from __future__ import annotations

import pytest

from installer import system_packages
from installer.commands import Outcome
from installer.machine import Machine
from installer.system_packages import (
    apt_install,
    ensure_chromium,
    ensure_ffmpeg,
    ffmpeg_command,
    missing_ffmpeg,
)

DEBIAN_ROOT = Machine("Linux", "x86_64", is_root=True, package_manager="apt-get")
DEBIAN_USER = Machine("Linux", "x86_64", is_root=False, package_manager="apt-get")


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without any program or library to find."""
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: None)
    monkeypatch.setattr(system_packages.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(system_packages, "missing_ffmpeg", lambda system: ("program",))


def test_program_and_libraries_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages.ctypes.util, "find_library", lambda name: None)
    assert missing_ffmpeg("Linux", which=lambda name: None) == ("program", "shared libraries")
    assert missing_ffmpeg("Linux", which=lambda name: "/usr/bin/ffmpeg") == ("shared libraries",)
    monkeypatch.setattr(system_packages.ctypes.util, "find_library", lambda name: "libavcodec.so")
    assert missing_ffmpeg("Linux", which=lambda name: "/usr/bin/ffmpeg") == ()


def test_windows_libraries_are_found_beside_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr(system_packages.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_ffmpeg("Windows", which=lambda name: name) == ("shared libraries",)
    (tmp_path / "avcodec-62.dll").touch()
    assert missing_ffmpeg("Windows", which=lambda name: name) == ()


@pytest.mark.parametrize(
    ("system", "manager", "command"),
    [
        ("Linux", "apt-get", "sudo apt-get install -y ffmpeg"),
        ("Linux", "dnf", "sudo dnf install -y ffmpeg"),
        ("Darwin", "brew", "brew install ffmpeg"),
        ("Windows", "winget", "winget install --id Gyan.FFmpeg.Shared"),
        ("Darwin", None, "see https://ffmpeg.org/download.html"),
    ],
)
def test_one_command_per_platform(system: str, manager: str | None, command: str) -> None:
    assert ffmpeg_command(Machine(system, "x86_64", package_manager=manager)) == command


def test_the_user_is_told_what_root_would_do(bare_system, commands, journal, screen) -> None:
    ensure_ffmpeg(DEBIAN_USER, commands, journal)
    assert commands.ran == []
    assert "install with: sudo apt-get install -y ffmpeg" in screen.getvalue()


def test_root_on_debian_installs(bare_system, commands, journal) -> None:
    ensure_ffmpeg(DEBIAN_ROOT, commands, journal)
    ensure_chromium(DEBIAN_ROOT, commands, journal)
    assert commands.ran_with("apt-get")[0].endswith("ffmpeg")
    assert commands.ran_with("apt-get")[-1].endswith("chromium")
    assert commands.environments[0]["DEBIAN_FRONTEND"] == "noninteractive"


def test_apts_lists_are_refreshed_only_when_needed(commands) -> None:
    apt_install(["ffmpeg"], commands)
    assert not commands.ran_with("update")
    outcomes = [Outcome(100, "E: Unable to locate package ffmpeg"), Outcome(0, "")]
    commands.answer(" install ", lambda: outcomes.pop(0))
    assert apt_install(["ffmpeg"], commands).ok
    assert commands.ran_with("update")
