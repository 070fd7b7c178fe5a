"""The example of docs/python.md for the page's endpoints, run as printed over the real models."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.text.word_errors import word_error_rate
from tests.documents.pages import blocks
from tests.e2e.conftest import StudioProcess

pytestmark = pytest.mark.e2e

SENTENCE = (
    "The ship came in at noon, with nine sailors and a cat. They had been away for three long "
    "years, and nobody in the town remembered their names."
)
OPENING, USING = blocks("python.md", "python", "The page's endpoints")


def test_a_program_clones_transcribes_and_makes_a_dataset(
    studio: StudioProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "downloads"))
    names: dict[str, Any] = {}
    # The page is opened on two busy cores.
    run(OPENING.replace("http://127.0.0.1:7860", studio.url).replace("60", "180"), names)
    client, result_of = names["client"], names["result_of"]
    job = client.predict(SENTENCE, "af_heart", kind="preset", seed=7, api_name="/clone_voice")
    spoken = client.predict(result_of(job)["take"], api_name="/get_take")["recording"]
    for name in ("anna.wav", "interview.mp3", "chapter1.wav"):
        shutil.copy(spoken, name)  # what it is is in the file, whatever its name says
    run(USING, names)
    take = names["take"]
    assert (take["voice"], take["text"]) == ("Anna", "Good morning.")
    assert Path(take["recording"]).is_file()
    (transcript,) = (studio.root / "output" / "transcripts").glob("*.json")
    heard = client.predict(transcript.stem, api_name="/get_transcript")
    assert word_error_rate(SENTENCE, heard) < 0.1
    said = capsys.readouterr().out
    assert "00:00:00," in said
    assert "['chapter1.wav']" in said
    assert len(list((studio.root / "datasets" / "Anna_reads" / "wavs").glob("*.wav"))) >= 1


def run(code: str, names: dict[str, Any]) -> None:
    exec(compile(code, "docs/python.md", "exec"), names)  # noqa: S102 - our own documentation
