"""FFmpeg and other programs of the system: found, installed where we may, else named."""

from __future__ import annotations

import ctypes.util
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from installer.commands import Commands, Outcome
from installer.journal import Journal
from installer.machine import Machine

_FFMPEG_COMMANDS = {
    "apt-get": "sudo apt-get install -y ffmpeg",
    "dnf": "sudo dnf install -y ffmpeg",
    "pacman": "sudo pacman -S --needed ffmpeg",
    "zypper": "sudo zypper install ffmpeg",
    "brew": "brew install ffmpeg",
    "winget": "winget install --id Gyan.FFmpeg.Shared",
}
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def apt_install(packages: Sequence[str], commands: Commands) -> Outcome:
    """Installs Debian packages, refreshing apt's lists only if they do not know them."""
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y"]
    install += ["--no-install-recommends", *packages]
    outcome = commands.run(install, environment)
    if not outcome.ok:
        commands.run(["apt-get", "update"], environment)
        outcome = commands.run(install, environment)
    return outcome


def missing_ffmpeg(
    system: str, which: Callable[[str], str | None] = shutil.which
) -> tuple[str, ...]:
    """What of FFmpeg is not here: its program, its shared libraries, both, or nothing."""
    program = () if which("ffmpeg") else ("program",)
    libraries = () if _has_ffmpeg_libraries(system) else ("shared libraries",)
    return program + libraries


def ffmpeg_command(machine: Machine) -> str:
    """The one command that installs FFmpeg on this machine."""
    fallback = "see https://ffmpeg.org/download.html"
    return _FFMPEG_COMMANDS.get(machine.package_manager or "", fallback)


def ensure_ffmpeg(machine: Machine, commands: Commands, journal: Journal) -> None:
    """FFmpeg converts recordings in unusual formats; without it the studio still works."""
    missing = missing_ffmpeg(machine.system)
    if missing and machine.may_use_apt:
        with journal.activity("FFmpeg", "installing"):
            apt_install(["ffmpeg"], commands)
        missing = missing_ffmpeg(machine.system)
    if missing:
        what = " and ".join(missing)
        journal.say("FFmpeg", f"{what} missing; install with: {ffmpeg_command(machine)}")
    else:
        journal.say("FFmpeg", "found")


def ensure_chromium(machine: Machine, commands: Commands, journal: Journal) -> None:
    """The tests of the page drive a Chromium that is already there."""
    if not any(shutil.which(name) for name in _CHROMIUM_NAMES) and machine.may_use_apt:
        with journal.activity("Chromium", "installing"):
            apt_install(["chromium"], commands)
    found = next((name for name in _CHROMIUM_NAMES if shutil.which(name)), None)
    journal.say("Chromium", found or "missing; the tests of the page need it (Debian: chromium)")


def _has_ffmpeg_libraries(system: str) -> bool:
    if ctypes.util.find_library("avcodec"):
        return True
    if system == "Darwin":  # Homebrew's folders are not among those that find_library knows
        folders = [Path("/opt/homebrew/lib"), Path("/usr/local/lib")]
        return any(next(folder.glob("libavcodec*.dylib"), None) for folder in folders)
    if system == "Windows":  # the libraries carry their version in the name: avcodec-62.dll
        folders = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
        return any(next(folder.glob("avcodec-*.dll"), None) for folder in folders)
    return False
