"""`app.py voices ...` over an empty data root and the voices of a tiny Kokoro."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.kokoro.voices import (
    PACK_SHAPE,
    load_pack,
    save_pack,
)

Studio = Callable[..., dict[str, Any]]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """Runs a command and returns the JSON it prints; the exit code is under "exit"."""
    voices = tmp_path / "models" / "kokoro" / "v1_0" / "voices"
    voices.mkdir(parents=True)
    for name, value in (("af_one", 1.0), ("am_two", 3.0)):
        save_pack(np.full(PACK_SHAPE, value, np.float32), voices / f"{name}.pt")
    monkeypatch.setenv("VOICE_STUDIO_MODELS", str(tmp_path / "models"))

    def run(*words: str) -> dict[str, Any]:
        root = ["--data-root", str(tmp_path / "data"), "voices"]
        outcome = CliRunner().invoke(app, [*root, *words, "--json"])
        return {**json.loads(outcome.stdout), "exit": outcome.exit_code}

    yield run
    reset_managers()


def test_a_mix_is_saved_listed_exported_and_deleted(studio: Studio, tmp_path: Path) -> None:
    assert studio("save-mix", "af_one+am_two", "--name", "Between")["voice"]["name"] == "Between"
    assert [v["name"] for v in studio("list")["voices"]] == ["af_one", "am_two", "Between"]
    written = Path(studio("export", "Between", "--out", str(tmp_path / "between.bin"))["out"])
    assert np.array_equal(load_pack(written), np.full(PACK_SHAPE, 2.0, np.float32))
    assert studio("delete", "Between")["exit"] == 0
    assert [v["name"] for v in studio("list")["voices"]] == ["af_one", "am_two"]


def test_a_file_is_imported(studio: Studio, tmp_path: Path) -> None:
    file = save_pack(np.full(PACK_SHAPE, 0.5, np.float32), tmp_path / "friend.safetensors")
    kept = studio("import", str(file), "--name", "My friend", "--language", "it")["voice"]
    assert (kept["name"], kept["language"]) == ("My_friend", "it")


@pytest.mark.parametrize(
    "words",
    [
        ("save-mix", "af_one-am_two", "--name", "nothing"),
        ("import", "no such file.pt"),
        ("export", "nobody", "--out", "nobody.pt"),
        ("delete", "af_one"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_a_remedy(studio: Studio, words: list[str]) -> None:
    outcome = studio(*words)
    assert outcome["exit"] == 1
    assert outcome["error"]
    assert outcome["hint"]
