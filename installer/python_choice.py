"""Which Python runs the studio, and what to say when none here can."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

SUPPORTED_PYTHONS = ((3, 11), (3, 12), (3, 10))
"""In order of preference: the studio is measured on 3.11; kokoro does not support 3.13 yet."""


def python_candidates(system: str, environment_folder: Path) -> list[list[str]]:
    """Commands that may start a supported Python: the studio's own, then by preference."""
    versions = [f"{major}.{minor}" for major, minor in SUPPORTED_PYTHONS]
    if system == "Windows":
        own = environment_folder / "Scripts" / "python.exe"
        return [[str(own)], *(["py", f"-{version}"] for version in versions)]
    own = environment_folder / "bin" / "python"
    return [[str(own)], *([f"python{version}"] for version in versions)]


def wanted_python(
    candidates: Sequence[Sequence[str]],
    version_of: Callable[[Sequence[str]], tuple[int, int] | None],
) -> list[str] | None:
    """The first candidate that starts and is a supported version."""
    for candidate in candidates:
        if version_of(candidate) in SUPPORTED_PYTHONS:
            return list(candidate)
    return None


def version_of_command(command: Sequence[str]) -> tuple[int, int] | None:
    """The (major, minor) version that the command really starts; None if it starts no Python."""
    question = "import sys; print('%d %d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [*command, "-c", question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=True,
            text=True,
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return (int(answer[0]), int(answer[1])) if len(answer) == 2 else None


def wrong_python_message(system: str, current: tuple[int, int]) -> str:
    """What to tell a user whose machine has no supported Python."""
    how = {
        "Windows": "winget install --id Python.Python.3.11",
        "Darwin": "brew install python@3.11",
    }.get(system, "sudo apt-get install python3.11 python3.11-venv   (or your system's equivalent)")
    return (
        "Voice Clone Studio needs Python 3.10, 3.11 or 3.12 (best: 3.11); "
        f"this is Python {current[0]}.{current[1]} and no other was found.\n"
        f"  Install one:     {how}\n"
        "  or with uv:      uv python install 3.11\n"
        "then run the installer again."
    )
