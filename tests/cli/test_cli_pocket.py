"""Pocket TTS in the terminal, from a recommendation and a closed gate to takes.

The catalog, the downloads, the engine and the package are the real ones; the hub stands on this
machine and has a tiny random checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.access_token import AccessToken
from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import read_speech
from modules.tools.models import speed
from tests.core_components.ai_models.fake_hub import FakeHub
from tests.helpers.pocket_studio import MODEL, STRANGER, TOKEN, WEIGHTS, harm, has_part
from tests.helpers.waiting import eventually

TEXT = "Hello there, this costs $5. And that is all."
# Runs a command that must end with `code`; returns the JSON object that it prints.
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(pocket_root: Path) -> Run:
    def run(*words: str, code: int = 0, given: str = "") -> dict[str, Any]:
        arguments = ["--data-root", str(pocket_root), *words, "--json"]
        outcome = CliRunner().invoke(app, arguments, given)
        assert outcome.exit_code == code, outcome.output
        return dict(json.loads(outcome.stdout.splitlines()[-1]))

    return run


def test_the_engines_for_a_sample_are_listed_with_what_they_need(
    pocket_root: Path,
    pocket_hub: FakeHub,
    run: Run,
    pocket_recording: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "decoder_step_seconds", lambda device: 0.01)
    assert "no sample named" in run("models", "recommend", "--sample", "Anna", code=1)["error"]
    AccessToken(pocket_root).save(TOKEN)
    run("models", "download", "pocket", "--accept-licence")
    out = str(pocket_recording.with_name("take.wav"))
    run("clone", "--sample", str(pocket_recording), "--engine", "pocket", "--text", "Hi there.",
        "--no-scores", "--out", out)  # fmt: skip
    first, *others = run("models", "recommend", "--sample", "Anna")["engines"]
    assert (first["model_id"], first["state"], first["way"]) == (MODEL, "installed", "clone")
    assert first["speed"]["measured"]
    xtts = next(one for one in others if one["model_id"] == "xtts-v2.0.3")
    assert (xtts["needs_acceptance"], xtts["speed"]["measured"]) == (True, False)
    outcome = CliRunner().invoke(app, ["--data-root", str(pocket_root), "models", "recommend"])
    assert "1. Pocket TTS English (pocket-tts-english): true clone" in outcome.output
    assert "Needed: its licence has to be accepted" in outcome.output
    pocket_hub.listing_status = 503
    reset_managers()
    outcome = CliRunner().invoke(app, ["--data-root", str(pocket_root), "models", "recommend"])
    assert "Not now: XTTS v2.0.3 cannot be downloaded now." in outcome.output


def test_from_the_gate_to_a_take(
    pocket_root: Path,
    pocket_hub: FakeHub,
    run: Run,
    pocket_recording: Path,
    tmp_path: Path,
) -> None:
    assert "lawful consent" in run("models", "download", "pocket", code=1)["error"]
    assert pocket_hub.asked == []
    closed = run("models", "download", "pocket", "--accept-licence", code=1)
    assert "Accept the terms at https://huggingface.co/kyutai/pocket-tts" in closed["error"]
    run("models", "token", "set", given=f"{STRANGER}\n")
    assert "HTTP 403" in run("models", "download", "pocket", code=1)["error"]
    run("models", "token", "set", given=f"{TOKEN}\n")
    run("models", "download", "pocket")

    first, second = tmp_path / "first.wav", tmp_path / "second.wav"
    how = ["--engine", "pocket", "--text", TEXT, "--seed", "3", "--no-scores"]
    run("clone", "--sample", str(pocket_recording), *how, "--out", str(first))
    run("speak", "--voice", "Anna", *how, "--out", str(second))
    assert read_speech(first).duration_s > 1
    assert np.array_equal(read_speech(first).samples, read_speech(second).samples)
    prompts = list((pocket_root / "cache/prompts").iterdir())
    assert [path.suffix for path in prompts] == [".safetensors"]
    logs = "".join(path.read_text(errors="replace") for path in pocket_root.rglob("*.log*"))
    assert TOKEN not in logs


def test_without_the_hub_and_with_a_harmed_file(
    pocket_root: Path,
    pocket_hub: FakeHub,
    run: Run,
    pocket_recording: Path,
    tmp_path: Path,
) -> None:
    AccessToken(pocket_root).save(TOKEN)
    run("models", "download", "pocket", "--accept-licence")
    pocket_hub.listing_status = 503
    gone = run("models", "download", "pocket-tts-french", code=1)
    assert "503" in gone["error"]
    assert "By hand: put the files in" in gone["details"]
    how = ["--engine", "pocket", "--text", "Hi there.", "--no-scores"]
    out = str(tmp_path / "take.wav")
    run("clone", "--sample", str(pocket_recording), *how, "--out", out)  # what is here speaks

    harm(pocket_root / "models/pocket-tts/english/model.safetensors")
    reset_managers()
    harmed = run("speak", "--voice", "Anna", *how, "--out", out, code=1)
    assert "has changed since it was downloaded" in harmed["details"]
    assert "models delete pocket-tts-english" in harmed["details"]


def test_a_file_with_a_wrong_checksum_is_not_kept(
    pocket_root: Path,
    pocket_hub: FakeHub,
    run: Run,
) -> None:
    AccessToken(pocket_root).save(TOKEN)
    pocket_hub.sent[WEIGHTS] = pocket_hub.files[WEIGHTS][:-1] + b"\0"
    wrong = run("models", "download", "pocket", "--accept-licence", code=1)
    assert "model.safetensors" in wrong["details"]
    folder = pocket_root / "models/pocket-tts/english"
    assert not (folder / "model.safetensors").exists()
    assert run("models", "list")["models"]
    pocket_hub.sent.clear()
    run("models", "download", "pocket")
    assert (folder / "model.safetensors").read_bytes() == pocket_hub.files[WEIGHTS]


def test_a_download_that_was_stopped_goes_on(
    pocket_root: Path,
    pocket_hub: FakeHub,
    run: Run,
) -> None:
    AccessToken(pocket_root).save(TOKEN)
    pocket_hub.hold.clear()

    def press_ctrl_c() -> None:
        eventually(lambda: has_part(pocket_root), 60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_ctrl_c, daemon=True).start()
    stopped = run("models", "download", "pocket", "--accept-licence", code=130)
    assert stopped["error"] == "Stopped."
    pocket_hub.hold.set()
    run("models", "download", "pocket")
    assert any(asked and asked.startswith("bytes=") for asked in pocket_hub.ranges)
