"""`clean`: recordings without their noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.audio.files import write_speech
from modules.core_components.values import Speech
from tests.cli.conftest import Command

Words = Callable[..., str]


@pytest.fixture
def hiss(tmp_path: Path) -> Path:
    samples = np.random.default_rng(3).standard_normal(24_000).astype(np.float32)
    write_speech(tmp_path / "hiss.wav", Speech(samples * np.float32(0.1), 24_000))
    return tmp_path / "hiss.wav"


def test_the_copy_lies_next_to_the_recording(words: Words, hiss: Path) -> None:
    assert "hiss-clean.wav: removed noise" in words("clean", str(hiss)).replace("\n", "")
    assert {path.name for path in hiss.parent.glob("*hiss*")} == {
        "hiss.wav",
        "hiss-clean.wav",
        "hiss-clean.json",
    }


def test_one_bad_file_does_not_stop_the_others(command: Command, hiss: Path) -> None:
    bad = hiss.with_name("bad.wav")
    bad.write_bytes(b"no sound")
    out = hiss.parent / "out"
    found = command("clean", str(bad), str(hiss), "--out", str(out), "--format", "flac", code=1)
    assert [entry["written"] for entry in found["cleaned"]] == [str(out / "hiss-clean.flac")]
    (failure,) = found["failed"]
    assert failure["file"] == str(bad)
    assert failure["hint"]


def test_nothing_to_do_is_refused(command: Command, hiss: Path) -> None:
    assert command("clean", str(hiss), "--no-noise", code=1)["error"] == "There is nothing to do."
