"""The speaker encoders with their real weights, on stock voices that read two sentences each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.ai_models import ASRManager, TTSManager, reset_managers
from modules.core_components.ai_models.engines.kokoro.engine import KokoroEngine, KokoroOptions
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.audio.files import encode_speech, read_speech
from modules.core_components.audio.speech_regions import trim_to_speech
from modules.core_components.progress import CancelToken
from modules.core_components.settings import Settings, load_settings
from modules.core_components.values import FloatArray, Speech
from modules.tools.services import open_services
from modules.tools.voices.sample_check import sample_findings
from tests.conftest import ROOT

pytestmark = pytest.mark.e2e

# Two women and two men of one accent, whom GE2E takes for near relations.
VOICES = ("af_bella", "af_nova", "am_adam", "am_onyx")
SENTENCES = ("The ship left the harbour at dawn.", "Nobody had told me about your brother.")


@pytest.fixture(scope="module")
def settings(starter_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    here = {"device": "cpu", "models_folder": str(starter_models)}
    return load_settings(tmp_path_factory.mktemp("studio"), here)


@pytest.fixture(scope="module")
def pool() -> Iterator[ModelPool]:
    pool = ModelPool({"cpu": 4 * 2**30})
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def readings(settings: Settings, pool: ModelPool) -> dict[str, list[Speech]]:
    kokoro = TTSManager(settings, pool).get("kokoro-v1.0")
    assert isinstance(kokoro, KokoroEngine)

    def say(voice: str, text: str) -> Speech:
        stream = kokoro.stream(text, voice, KokoroOptions(seed=1), CancelToken())
        samples = np.concatenate([piece.samples for piece in stream])
        return trim_to_speech(Speech(samples, kokoro.sample_rate_hz))

    return {voice: [say(voice, text) for text in SENTENCES] for voice in VOICES}


def similarities(embedded: dict[str, list[FloatArray]]) -> tuple[list[float], list[float]]:
    """Of one voice's first and second reading; of one voice's first and another's second."""
    same = [float(first @ second) for first, second in embedded.values()]
    other = [
        float(first @ second)
        for one, (first, _) in embedded.items()
        for another, (_, second) in embedded.items()
        if one != another
    ]
    return same, other


def test_campplus_tells_voices_apart_better_than_ge2e(
    settings: Settings, pool: ModelPool, readings: dict[str, list[Speech]]
) -> None:
    context = ASRManager(settings, pool).context
    margins = {}
    for model_id in ("ge2e", "campplus"):
        encoder = context.engine(model_id)
        same, other = similarities(
            {voice: [encoder.embed(clip) for clip in clips] for voice, clips in readings.items()}
        )
        margins[model_id] = min(same) - max(other)
    assert margins["campplus"] > max(0.2, margins["ge2e"])


def test_a_second_voice_in_a_sample_is_found(starter_models: Path, tmp_path: Path) -> None:
    here = {"device": "cpu", "models_folder": str(starter_models)}
    clips = {
        name: read_speech(ROOT / "docs" / "voice_match" / f"{name}.mp3", 16_000).samples
        for name in ("carlo-1", "june-1", "libri-0")
    }
    services = open_services(tmp_path, here)
    try:

        def kinds(name: str, *parts: str) -> set[str]:
            speech = Speech(np.concatenate([clips[part] for part in parts]), 16_000)
            sample = services.samples.add(encode_speech(speech, "wav"), name)
            return {finding.kind for finding in sample_findings(services, sample)}

        assert "speakers" in kinds("both", "carlo-1", "june-1")
        assert "speakers" not in kinds("one", "libri-0")
    finally:
        services.close()
        reset_managers()
