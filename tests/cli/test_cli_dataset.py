"""`app.py dataset ...` from creating to deleting, without a model: the texts are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from tests.tools.dataset_fakes import hum

Studio = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Runs a command and returns the JSON objects it prints; fails on another exit code."""

    def run(*words: str, code: int = 0) -> list[dict[str, Any]]:
        given = ["--data-root", str(tmp_path / "data"), "dataset", *words, "--json"]
        outcome = CliRunner().invoke(app, given)
        assert outcome.exit_code == code, outcome.output
        try:
            return [json.loads(outcome.stdout)]
        except json.JSONDecodeError:
            return [json.loads(line) for line in outcome.stdout.splitlines()]

    yield run
    reset_managers()


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Six recordings in LJSpeech's layout."""
    folder = tmp_path / "speech"
    for number in range(6):
        hum(folder / "wavs" / f"{number}.wav", 2.0)
    rows = "".join(f"{number}|Text {number}.|Text {number}.\n" for number in range(6))
    (folder / "metadata.csv").write_text(rows)
    return folder


def test_from_creating_to_deleting(studio: Studio, speech: Path, tmp_path: Path) -> None:
    (created,) = studio("create", "Anna", "--language", "it")
    assert Path(created["folder"]).is_dir()
    *steps, summary = studio("add", "Anna", str(speech))
    assert steps
    assert all(0 <= step["fraction"] <= 1 and step["message"] for step in steps)
    assert summary["contents"]["train_rows"] + summary["contents"]["eval_rows"] == 6
    assert studio("list")[0]["datasets"][0]["kept_s"] == pytest.approx(12.0)
    (shown,) = studio("show", "anna")
    assert shown["dataset"]["agreed"] is True
    assert len(shown["dataset"]["sources"]) == 6
    assert studio("delete", "Anna")[0]["deleted"] == "Anna"
    assert studio("list") == [{"datasets": []}]


def test_what_could_not_be_used_is_told_and_the_rest_is_there(
    studio: Studio, speech: Path, tmp_path: Path
) -> None:
    studio("create", "Anna", "--language", "it")
    summary = studio("add", "Anna", str(speech), str(tmp_path / "no.wav"), code=1)[-1]
    assert len(summary["added"]) == 6
    assert [refused["name"] for refused in summary["refused"]] == ["no.wav"]


def test_files_that_are_no_recordings_are_named(studio: Studio, speech: Path) -> None:
    (speech / "README").write_text("How it was recorded.")
    summary = studio("import", "Anna", str(speech), "--language", "it")[-1]
    assert len(summary["added"]) == 6
    assert summary["unused"] == ["speech/README"]


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_export_and_import_give_the_same_rows(
    studio: Studio, speech: Path, tmp_path: Path, name: str
) -> None:
    studio("import", "Anna", str(speech), "--language", "it")
    (written,) = studio("export", "Anna", "--out", str(tmp_path / name))
    studio("import", "Copy", written["out"], "--language", "it")

    def rows(of: str) -> list[tuple[str, int]]:
        dataset = studio("show", of)[0]["dataset"]
        wavs = Path(dataset["folder"]) / "wavs"
        return sorted(
            (clip["text"], soundfile.info(wavs / f"{clip['id']}.wav").frames)
            for source in dataset["sources"]
            for clip in source["clips"]
        )

    assert rows("Copy") == rows("Anna")
    if name == "out":
        assert (
            "exists" in studio("export", "Anna", "--out", str(tmp_path / name), code=1)[0]["error"]
        )


def test_errors_say_what_to_do(studio: Studio, tmp_path: Path) -> None:
    (error,) = studio("show", "nobody", code=1)
    assert error["hint"]
    studio("create", "Anna", "--language", "it")
    (error,) = studio("export", "Anna", "--out", str(tmp_path / "out"), code=1)
    assert "no rows" in error["error"]
