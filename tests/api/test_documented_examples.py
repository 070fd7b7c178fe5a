"""The examples of docs/api.md, run as they stand there but for address and voices."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modules.core_components.audio.files import read_speech
from tests.api.test_transcription import WAV
from tests.conftest import ROOT

BLOCK = re.compile(r"```(bash|python|javascript)\n(.*?)```", re.DOTALL)
NEEDED = {"bash": "curl", "javascript": "node"}


def examples(language: str) -> list[str]:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    return [code for kind, code in BLOCK.findall(page) if kind == language]


@pytest.mark.parametrize("language", ["bash", "python", "javascript"])
def test_the_examples_of_a_language_work(address: str, tmp_path: Path, language: str) -> None:
    program = shutil.which(NEEDED[language]) if language in NEEDED else sys.executable
    if program is None:
        pytest.skip(f"{NEEDED[language]} is not on this machine")
    (tmp_path / "interview.mp4").write_bytes(WAV)
    speaking, listening = examples(language)
    code = f"{speaking}\n{listening}" if language != "javascript" else speaking
    said = run(tmp_path, language, address, code)
    if language == "javascript":
        said = run(tmp_path, language, address, listening)
    (spoken,) = tmp_path.glob("morning.*")
    assert read_speech(spoken).duration_s > 0.3
    assert "Buon" in said


def run(folder: Path, language: str, address: str, code: str) -> str:
    code = code.replace("http://127.0.0.1:7860", address)
    code = code.replace("af_bella(2)+af_sky(1)", "high").replace("af_heart", "high")
    script = folder / {"bash": "a.sh", "python": "a.py", "javascript": "a.mjs"}[language]
    script.write_text(code, encoding="utf-8")
    program = {"bash": ["bash", "-ex"], "python": [sys.executable], "javascript": ["node"]}[
        language
    ]
    done = subprocess.run(
        [*program, str(script)], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
