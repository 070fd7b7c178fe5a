"""`app.py converse` on fakes: what it writes, what it says of a wrong command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from tests.helpers.fakes import SINE, fake_studio

Converse = Callable[..., dict[str, Any]]


@pytest.fixture
def converse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Converse]:
    """Runs the command on a script and returns the JSON it prints, with "exit"."""
    services, _ = fake_studio(tmp_path)
    monkeypatch.setattr("modules.tools.services.open_services", lambda root: services)
    script = tmp_path / "script.txt"
    script.write_text("﻿Anna: Good morning.\nBen: And to you.\n", encoding="utf-8")

    def run(*words: str, file: Path = script, out: str = "spoken.wav") -> dict[str, Any]:
        command = ["converse", str(file), "--out", str(tmp_path / out), "--json", *words]
        outcome = CliRunner().invoke(app, ["--data-root", str(tmp_path), *command])
        return {**json.loads(outcome.stdout), "exit": outcome.exit_code}

    yield run
    services.close()
    reset_managers()


def test_a_script_is_written_as_sound_and_subtitles(converse: Converse, tmp_path: Path) -> None:
    made = converse("--voice", "Anna=high", "--voice", f"ben={SINE}:low", "--turn", "1")
    assert made["exit"] == 0
    assert [Path(name).suffix for name in made["written"]] == [".wav", ".srt", ".vtt"]
    assert "Ben: And to you." in (tmp_path / "spoken.srt").read_text(encoding="utf-8")
    first, second = made["conversation"]["whole"]["spans_s"].values()
    assert second[0] - first[1] == pytest.approx(1.0, abs=0.002)
    flac = converse("--voice", "Anna=high", "--voice", "Ben=low", out="spoken.flac")
    assert (tmp_path / "spoken.flac").read_bytes().startswith(b"fLaC")
    assert flac["conversation"]["id"] != made["conversation"]["id"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--voice", "Anna=high"), "No voice is chosen for Ben"),
        (("--in-one-go", "--voice", "Anna=high"), "No model that speaks a script in one go"),
        (("--voice", "Anna"), "'Anna' does not name a voice"),
        (("--voice", "Anna=high", "--voice", "Ben=nobody"), "Ben: Sine 1 has no voice 'nobody'"),
        (("--voice", "Anna=high", "--voice", "Ben=low", "--pause", "60"), "60 seconds"),
    ],
)
def test_what_is_wrong_is_said(converse: Converse, words: tuple[str, ...], error: str) -> None:
    outcome = converse(*words)
    assert outcome["exit"] == 1
    assert error in outcome["error"]
    assert outcome["hint"]


def test_a_format_or_script_that_is_none_costs_no_speaking(
    converse: Converse, tmp_path: Path
) -> None:
    voices = ("--voice", "Anna=high", "--voice", "Ben=low")
    assert "spoken.ogg" in converse(*voices, out="spoken.ogg")["error"]
    assert "cannot be read" in converse(*voices, file=tmp_path / "none.txt")["error"]
    assert not list((tmp_path / "output" / "conversations").glob("*"))
