"""The examples of docs/api.md, run as they stand there but for address, voices and model."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from modules.core_components.audio.files import read_speech
from modules.core_components.settings import change
from modules.tools.services import Services
from tests.api.test_phonemes import SPELLER, Speller, speller  # noqa: F401 - a fixture
from tests.api.test_transcription import WAV, two_speakers  # noqa: F401 - a fixture
from tests.conftest import ROOT

BLOCK = re.compile(r"```(bash|python|javascript)\n(.*?)```", re.DOTALL)
PROGRAMS: dict[str, Sequence[str]] = {
    "bash": ["bash", "-ex"],
    "python": [sys.executable],
    "javascript": ["node"],
}
NEEDED = {"bash": "curl", "javascript": "node"}
INSTEAD = {"af_bella(2)+af_sky(1)": "high", "af_heart": "high", "kokoro-v1.0": SPELLER}
# What the fakes of this studio say, by what it shows.
SAID = {
    "a transcript": "Buon",
    "a streamed transcript": "Come stai?",
    "speakers": "B: Come stai?",
    "phonemes": "GOOD MORNING.",
    "a model": SPELLER,
}


def examples(language: str) -> list[str]:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    return [code for kind, code in BLOCK.findall(page) if kind == language]


@pytest.mark.parametrize("language", list(PROGRAMS))
def test_the_examples_of_a_language_work(
    services: Services,
    speller: Speller,  # noqa: F811
    two_speakers: object,  # noqa: F811
    address: str,
    tmp_path: Path,
    language: str,
) -> None:
    if language in NEEDED and shutil.which(NEEDED[language]) is None:
        pytest.skip(f"{NEEDED[language]} is not on this machine")
    services.settings = change(services.settings, tts_model=SPELLER)
    (tmp_path / "interview.mp4").write_bytes(WAV)
    codes = examples(language)
    # Later examples in Python use the client of the first; modules of JavaScript stand alone.
    scripts = codes if language == "javascript" else ["\n".join(codes)]
    said = "".join(run(tmp_path, language, address, code) for code in scripts)
    (spoken,) = tmp_path.glob("morning.*")
    assert read_speech(spoken).duration_s > 0.3
    wanted = dict(SAID)
    if language == "javascript":
        wanted |= {"a model": "alloy"}
    if language != "python":
        del wanted["speakers"]
    assert {what for what, words in wanted.items() if words not in said} == set(), said


def test_every_route_has_an_example() -> None:
    code = "\n".join(code for language in PROGRAMS for code in examples(language))
    for path in ("/dev/captioned_speech", "/dev/phonemize", "/dev/generate_from_phonemes"):
        assert code.count(f"{path}") >= 2, path
    for path in (
        "/dev/read",
        "/dev/models",
        "/dev/recommended-models",
        "/dev/queue",
        "/v1/models",
        "/v1/audio/voices",
        "/health",
    ):
        assert path in code, path


def run(folder: Path, language: str, address: str, code: str) -> str:
    code = code.replace("http://127.0.0.1:7860", address)
    for written, here in INSTEAD.items():
        code = code.replace(written, here)
    script = folder / {"bash": "a.sh", "python": "a.py", "javascript": "a.mjs"}[language]
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [*PROGRAMS[language], str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
