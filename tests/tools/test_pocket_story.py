"""Pocket TTS from a closed gate to takes, in the terminal and over the API.

The catalog, the downloads, the engine and the package are the real ones; the hub stands on this
machine and has a tiny random checkpoint.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from modules.api.app import create_api
from modules.cli.main import app
from modules.core_components.access_token import AccessToken
from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.downloads.hub import HubTransport
from modules.core_components.audio.files import read_speech, write_speech
from modules.tools.services import open_services
from tests.core_components.ai_models.fake_hub import FakeHub, running_hub
from tests.helpers.espeak import espeak
from tests.helpers.tiny_pocket import FILES

MODEL = "pocket-tts-english"
TOKEN, STRANGER = "hf_accepted1", "hf_stranger1"
TEXT = "Hello there, this costs $5. And that is all."
HERE = "http://127.0.0.1:7860"
# Runs a command that must end with `code`; returns the JSON object that it prints.
Run = Callable[..., dict[str, object]]


@pytest.fixture
def root(tmp_path: Path, tiny_pocket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A studio without any model; the tiny sizes of the coming one are known beforehand."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("VOICE_STUDIO_MODELS", raising=False)
    # The person who runs the tests may be logged in at the hub.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    root = tmp_path / "studio"
    folder = root / "models/pocket-tts/english"
    folder.mkdir(parents=True)
    (folder / FILES[0]).write_bytes((tiny_pocket / FILES[0]).read_bytes())
    choices = {"models_folder": str(root / "models"), "device": "cpu", "torch_threads": 1}
    choices |= {"score_takes": False}
    (root / "config.json").write_text(json.dumps(choices), encoding="utf-8")
    yield root
    reset_managers()


@pytest.fixture
def hub(tiny_pocket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    files = {f"languages/english/{name}": (tiny_pocket / name).read_bytes() for name in FILES[1:]}
    with running_hub(
        files=files,
        large={"languages/english/model.safetensors"},
        gated={"kyutai/pocket-tts"},
        known={STRANGER},
        accepted={TOKEN},
    ) as running:
        downloader = "modules.core_components.ai_models.downloads.downloader"
        our_transport = partial(HubTransport, running.endpoint, 0.0)
        monkeypatch.setattr(f"{downloader}.HubTransport", our_transport)
        yield running


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    said = espeak("The north wind and the sun disputed which of them was the stronger.")
    write_speech(tmp_path / "Anna.wav", said)
    return tmp_path / "Anna.wav"


@pytest.fixture
def run(root: Path) -> Run:
    def run(*words: str, code: int = 0, given: str = "") -> dict[str, object]:
        arguments = ["--data-root", str(root), *words, "--json"]
        outcome = CliRunner().invoke(app, arguments, given)
        assert outcome.exit_code == code, outcome.output
        return dict(json.loads(outcome.stdout.splitlines()[-1]))

    return run


def test_from_the_gate_to_a_take_in_the_terminal(
    root: Path, hub: FakeHub, run: Run, recording: Path, tmp_path: Path
) -> None:
    assert "lawful consent" in str(run("models", "download", "pocket", code=1)["error"])
    assert hub.asked == []
    closed = run("models", "download", "pocket", "--accept-licence", code=1)
    assert "Accept the terms at https://huggingface.co/kyutai/pocket-tts" in str(closed["error"])
    run("models", "token", "set", given=f"{STRANGER}\n")
    assert "HTTP 403" in str(run("models", "download", "pocket", code=1)["error"])
    run("models", "token", "set", given=f"{TOKEN}\n")
    run("models", "download", "pocket")

    first, second = tmp_path / "first.wav", tmp_path / "second.wav"
    how = ["--engine", "pocket", "--text", TEXT, "--seed", "3", "--no-scores"]
    run("clone", "--sample", str(recording), *how, "--out", str(first))
    run("speak", "--voice", "Anna", *how, "--out", str(second))
    assert read_speech(first).duration_s > 1
    assert np.array_equal(read_speech(first).samples, read_speech(second).samples)
    prompts = list((root / "cache/prompts").iterdir())
    assert [path.suffix for path in prompts] == [".safetensors"]
    logs = "".join(path.read_text(errors="replace") for path in root.rglob("*.log*"))
    assert TOKEN not in logs


def test_without_the_hub_and_with_a_harmed_file(
    root: Path, hub: FakeHub, run: Run, recording: Path, tmp_path: Path
) -> None:
    AccessToken(root).save(TOKEN)
    run("models", "download", "pocket", "--accept-licence")
    hub.listing_status = 503
    gone = run("models", "download", "pocket-tts-french", code=1)
    assert "503" in str(gone["error"])
    how = ["--engine", "pocket", "--text", "Hi there.", "--no-scores"]
    out = str(tmp_path / "take.wav")
    run("clone", "--sample", str(recording), *how, "--out", out)  # what is here speaks

    weights = root / "models/pocket-tts/english/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    reset_managers()
    harmed = run("speak", "--voice", "Anna", "--engine", "pocket", "--text", "Hi.",
                 "--out", out, code=1)  # fmt: skip
    assert "has changed since it was downloaded" in str(harmed["error"])


def test_takes_over_the_api(root: Path, hub: FakeHub, run: Run, recording: Path) -> None:
    AccessToken(root).save(TOKEN)
    run("models", "download", "pocket", "--accept-licence")
    run("clone", "--sample", str(recording), "--engine", "pocket", "--text", "Hi there.",
        "--no-scores", "--out", str(recording.with_name("take.wav")))  # fmt: skip
    services = open_services(root)
    with TestClient(create_api(services), base_url=HERE) as client:

        def say(seed: int) -> bytes:
            body = {"model": MODEL, "voice": "Anna", "input": TEXT, "seed": seed}
            answer = client.post("/v1/audio/speech", json={**body, "response_format": "wav"})
            assert answer.status_code == 200, answer.text
            return answer.content

        alone = [say(seed) for seed in (1, 2)]
        with ThreadPoolExecutor(2) as threads:
            together = list(threads.map(say, (1, 2)))
        french = client.post(
            "/v1/audio/speech",
            json={"model": MODEL, "voice": "Anna", "input": TEXT, "language": "fr"},
        )
    assert together == alone
    assert alone[0] != alone[1]
    samples, rate_hz = soundfile.read(io.BytesIO(alone[0]))
    assert (rate_hz, len(samples) > 24_000) == (24_000, True)
    assert french.status_code == 400
    services.close()
