"""The demo sample: made once, known as synthetic, gone for good when deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.kokoro.engine import KokoroOptions
from modules.core_components.errors import JobCancelled
from modules.core_components.library import SampleLibrary
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech
from modules.tools.voices import samples
from modules.tools.voices.samples import ensure_demo_sample

RATE_HZ = 24_000


class FakeEngine:
    """Hums for as long as a voice would speak, and remembers what it was asked."""

    model_id = "kokoro-v1.0"
    model_revision = "r1"
    sample_rate_hz = RATE_HZ
    options_type = KokoroOptions

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, KokoroOptions]] = []

    def stream(
        self, text: str, voice: str, options: KokoroOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        self.asked.append((text, voice, options))
        for number in range(2):
            cancel.raise_if_cancelled()
            noise = np.random.default_rng(number).normal(0, 0.1, RATE_HZ)
            yield Speech(noise.astype(np.float32), RATE_HZ)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def services(tmp_path: Path, engine: FakeEngine) -> Any:
    samples = SampleLibrary(tmp_path, max_duration_s=60, check=lambda speech: ())
    tts = SimpleNamespace(available=lambda model_id: True, get=lambda model_id: engine)
    settings = SimpleNamespace(samples_folder=tmp_path)
    return SimpleNamespace(samples=samples, tts=tts, settings=settings)


def test_it_says_what_it_is(services: Any, engine: FakeEngine) -> None:
    sample = ensure_demo_sample(services)
    assert sample is not None
    kept = services.samples.get(sample.name)
    assert kept.ref_text == engine.asked[0][0]
    assert kept.info["synthetic"] is True
    assert kept.consent is not None
    assert kept.consent.agreed
    assert "synthetic" in kept.consent.speaker
    assert kept.info["voice"] == engine.asked[0][1]
    assert kept.duration_s == 2.0
    assert kept.language == engine.asked[0][2].language


def test_it_is_made_once_and_stays_deleted(services: Any, engine: FakeEngine) -> None:
    sample = ensure_demo_sample(services)
    assert sample is not None
    assert ensure_demo_sample(services) is None
    services.samples.delete(sample.name)
    assert ensure_demo_sample(services) is None
    assert services.samples.list() == ()
    assert len(engine.asked) == 1


def test_who_has_samples_needs_none(services: Any, engine: FakeEngine) -> None:
    own = np.random.default_rng(5).normal(0, 0.1, RATE_HZ).astype(np.float32)
    from modules.core_components.audio.files import encode_speech

    services.samples.add(encode_speech(Speech(own, RATE_HZ), "wav"), "Mine")
    assert ensure_demo_sample(services) is None
    services.samples.delete("Mine")
    assert ensure_demo_sample(services) is None
    assert not engine.asked


def test_without_the_model_it_waits(services: Any, engine: FakeEngine) -> None:
    services.tts.available = lambda model_id: False
    assert ensure_demo_sample(services) is None
    services.tts.available = lambda model_id: True
    assert ensure_demo_sample(services) is not None
    assert len(engine.asked) == 1


def test_broken_off_it_is_made_at_the_next_start(services: Any) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(JobCancelled):
        ensure_demo_sample(services, cancel=cancel)
    assert services.samples.list() == ()
    assert ensure_demo_sample(services) is not None


def test_the_voice_is_a_mix_of_several() -> None:
    assert samples.VOICE.count("+") >= 1
