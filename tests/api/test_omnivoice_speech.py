"""OmniVoice over the API and in the terminal: the real engine on a tiny random checkpoint."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from modules.api.app import create_api
from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.model_utils import check_model_available_locally
from modules.core_components.audio.files import read_speech
from modules.core_components.values import Consent
from modules.tools.services import Services, open_services
from tests.api.conftest import HERE
from tests.helpers.pocket_studio import make_recording
from tests.helpers.tiny_omnivoice import install_tiny_omnivoice


@pytest.fixture
def root(tmp_path: Path, tiny_omnivoice: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with OmniVoice and without any other model."""
    models = tmp_path / "models"
    catalog = install_tiny_omnivoice(tiny_omnivoice, models, "omnivoice", "omnivoice-amharic")
    monkeypatch.delenv("VOICE_STUDIO_MODELS", raising=False)
    monkeypatch.setenv("VOICE_STUDIO_CATALOG", str(catalog))
    choices = {"models_folder": str(models), "device": "cpu", "torch_threads": 1}
    choices |= {"score_takes": False, "preload_model": False, "offline_mode": True}
    (tmp_path / "config.json").write_text(json.dumps(choices), encoding="utf-8")
    return tmp_path


@pytest.fixture
def services(root: Path) -> Iterator[Services]:
    services = open_services(root)
    services.samples.add(
        make_recording(root),
        "Anna",
        ref_text="The north wind and the sun disputed which of them was the stronger.",
        language="en",
        consent=Consent("Anna", True),
    )
    yield services
    services.close()
    reset_managers()


def test_a_program_speaks_with_it(services: Services) -> None:
    client = TestClient(create_api(services), base_url=HERE)

    def say(**fields: Any) -> Any:
        body = {"model": "omnivoice", "voice": "Anna", "input": "Hello there, you.", "seed": 1}
        body |= {"response_format": "wav"}
        return client.post("/v1/audio/speech", json=body | fields)

    first = say()
    assert first.status_code == 200, first.text
    samples, rate_hz = soundfile.read(io.BytesIO(first.content))
    assert (rate_hz, len(samples) > 12_000) == (24_000, True)
    assert say().content == first.content
    amharic = say(model="OmniVoice Amharic", input="ሰላም።", language="am-ET")
    assert amharic.status_code == 200, amharic.text
    unknown = say(language="Klingon")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "language")
    assert "606 more" in unknown.json()["error"]["message"]


def test_the_terminal_speaks_with_it(services: Services, root: Path) -> None:
    out = root / "take.wav"
    words = ["speak", "--voice", "Anna", "--engine", "omni", "--language", "Abadi"]
    words += ["--text", "Hello there, you.", "--set", "steps=4", "--no-scores"]
    words += ["--out", str(out), "--json"]
    outcome = CliRunner().invoke(app, ["--data-root", str(root), *words])
    assert outcome.exit_code == 0, outcome.output
    assert read_speech(out).duration_s > 0.5
    assert services.takes.list()[0].language == "kbt"


def test_it_is_found_by_its_name_on_the_hub(services: Services) -> None:
    for name in ("omnivoice", "k2-fsa/OmniVoice", "Lab-et/omnivoice-amharic"):
        assert check_model_available_locally(name, services.catalog)
