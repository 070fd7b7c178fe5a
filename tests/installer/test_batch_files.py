"""The batch files for Windows, as far as they can be checked without it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["install.bat", "start.bat"])
def test_every_jump_has_its_label(name: str) -> None:
    text = (ROOT / name).read_text(encoding="ascii")
    jumps = set(re.findall(r"goto (\w+)", text))
    assert jumps
    assert jumps == set(re.findall(r"^:(\w+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["install.bat", "start.bat"])
def test_paths_are_quoted_and_line_ends_are_those_of_windows(name: str) -> None:
    for line in (ROOT / name).read_text(encoding="ascii").splitlines():
        if not line.startswith("rem "):
            assert re.sub(r'"[^"]*"', "", line).count("%~dp0") == 0, line
    assert "*.bat text eol=crlf" in (ROOT / ".gitattributes").read_text()


def test_a_python_is_run_before_it_is_chosen() -> None:
    text = (ROOT / "install.bat").read_text(encoding="ascii")
    assert 'py -3 -c ""' in text
    assert 'python -c ""' in text
    assert "where " not in text


def test_a_crash_of_the_studio_is_seen_and_keeps_the_window_open() -> None:
    """Windows gives a crashed program a negative code, which "if errorlevel 1" does not see."""
    text = (ROOT / "start.bat").read_text(encoding="ascii")
    code = [line for line in text.splitlines() if not line.startswith("rem ")]
    assert not any("if errorlevel" in line or "if not errorlevel" in line for line in code)
    assert 'if %STUDIO_RESULT% neq 0 if "%~1"=="" pause' in code
    assert code[-1] == "exit /b 1"
