"""From a sample to a prompt: what the fit is given and what is kept of it.

The fit itself is replaced here; it has tests of its own.
"""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.engines import campplus, ge2e, whisper_features
from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder
from modules.core_components.ai_models.engines.kokoro.engine import KokoroEngine, create
from modules.core_components.ai_models.engines.kokoro.fit import (
    instant_match,
    sample_voice,
    voice_fit,
)
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import FittedVoice
from modules.core_components.ai_models.engines.kokoro.voices import voice_of_prompt
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.files import write_speech
from modules.core_components.errors import BadInputError, JobCancelled
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import Sample, Speech


class FakeFit:
    """Stands in for `fit_voice`: writes its checkpoint, then succeeds or fails as told."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.error: Exception | None = None

    def __call__(self, *given: Any, **named: Any) -> FittedVoice:
        names = (
            "kmodel", "phonemize", "ge2e", "campplus", "voices", "sample", "sample_rate_hz",
            "options", "progress", "cancel", "checkpoint",
        )  # fmt: skip
        self.given = dict(zip(names, given, strict=True)) | named
        checkpoint = self.given["checkpoint"]
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_bytes(b"half-way")
        if self.error is not None:
            raise self.error
        return FittedVoice(
            pack=np.full((510, 1, 256), 0.25, np.float32),
            layer_offsets=np.full((3, 128), 0.5, np.float32),
            start_voice="af_one",
            speaking_rate=1.1,
            from_match=True,
            similarity_start=0.6,
            similarity_fitted=0.85,
            similarity_self=0.95,
            report={"seconds": 90.0, "steps": 60},
        )


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> FakeFit:
    fake = FakeFit()
    monkeypatch.setattr(voice_fit, "fit_voice", fake)
    # The recording is noise, in which nobody speaks.
    monkeypatch.setattr(sample_voice, "trim_to_speech", lambda speech: speech)
    return fake


@pytest.fixture
def engine(context: EngineContext, tmp_path: Path) -> KokoroEngine:
    torch.save(
        {"model_state": SpeakerEncoder(hidden_size=4).state_dict()},
        tmp_path / ge2e.WEIGHTS,
    )
    torch.save(CampplusEncoder().state_dict(), tmp_path / campplus.WEIGHTS)
    folders = {"ge2e": tmp_path, "campplus": tmp_path, "whisper-tiny.en": tmp_path / "tiny.en"}

    encoders: dict[str, Any] = {"ge2e": ge2e, "campplus": campplus}

    def ensure_model(model_id: str) -> Path:
        return folders.get(model_id) or context.ensure_model(model_id)

    whole = dataclasses.replace(
        context,
        ensure_model=ensure_model,
        engine=lambda model_id: encoders[model_id].create(context.catalog.entry(model_id), whole),
    )
    return create(context.catalog.entry("kokoro-v1.0"), whole)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    noise = np.random.default_rng(2).normal(0, 0.1, 32_000).astype(np.float32)
    path = tmp_path / "me.wav"
    write_speech(path, Speech(noise, 16_000))
    return Sample("me", path, audio_sha256="ab" * 32, duration_s=2.0)


def test_the_fit_gets_the_models_the_voices_and_the_recording(
    engine: KokoroEngine, fit: FakeFit, sample: Sample
) -> None:
    engine.refine_voice(sample, no_progress, CancelToken())
    assert isinstance(fit.given["ge2e"], SpeakerEncoder)
    assert isinstance(fit.given["campplus"], CampplusEncoder)
    assert fit.given["kmodel"].vocab
    assert fit.given["phonemize"]("Hello.") == "həlˈO."
    assert sorted(fit.given["voices"]) == ["af_one", "am_two"]
    assert fit.given["voices"]["af_one"].shape == (510, 1, 256)
    assert fit.given["sample"].shape == (32_000,)
    assert fit.given["sample_rate_hz"] == 16_000
    assert fit.given["whisper_folder"].name == "tiny.en"


def test_the_prompt_is_a_voice_to_speak_with(
    engine: KokoroEngine, fit: FakeFit, sample: Sample, context: EngineContext
) -> None:
    prompt = engine.refine_voice(sample, no_progress, CancelToken())
    assert prompt.info["start_voice"] == "af_one"
    assert prompt.info["matched_similarity"] == 0.6
    assert prompt.info["held_out_similarity"] == 0.85
    assert prompt.info["seconds"] == 90.0
    VoicePromptStore(context.cache_folder / "prompts").put(prompt)
    kept = VoicePromptStore(context.cache_folder / "prompts").get(prompt.key)
    assert kept is not None
    voice = voice_of_prompt(kept)
    assert voice.speed == 1.1
    assert float(voice.pack[0, 0, 0]) == 0.25
    assert voice.layer_offsets is not None


def test_a_finished_fit_leaves_no_checkpoint(
    engine: KokoroEngine, fit: FakeFit, sample: Sample
) -> None:
    engine.refine_voice(sample, no_progress, CancelToken())
    assert not fit.given["checkpoint"].exists()


def test_a_cancelled_fit_keeps_its_checkpoint_and_lets_go_of_the_models(
    engine: KokoroEngine, fit: FakeFit, sample: Sample, pool: ModelPool
) -> None:
    fit.error = JobCancelled()
    with pytest.raises(JobCancelled):
        engine.refine_voice(sample, no_progress, CancelToken())
    checkpoint = fit.given["checkpoint"]
    assert checkpoint.read_bytes() == b"half-way"
    assert all(resident.holders == () for resident in pool.snapshot())
    fit.error = None
    engine.refine_voice(sample, no_progress, CancelToken())
    assert fit.given["checkpoint"] == checkpoint


def test_another_sample_has_another_checkpoint(
    engine: KokoroEngine, fit: FakeFit, sample: Sample
) -> None:
    engine.refine_voice(sample, no_progress, CancelToken())
    first = fit.given["checkpoint"]
    other = dataclasses.replace(sample, audio_sha256="cd" * 32)
    engine.refine_voice(other, no_progress, CancelToken())
    assert fit.given["checkpoint"] != first


def test_a_recording_without_speech_is_refused(
    engine: KokoroEngine, fit: FakeFit, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    silence = Speech(np.zeros(32_000, np.float32), 16_000)
    write_speech(sample.path, silence)
    with pytest.raises(BadInputError, match="no speech in this recording"):
        engine.refine_voice(sample, no_progress, CancelToken())
    assert not fit.given


def test_a_fit_pauses_while_others_compute_and_stops_when_cancelled(
    engine: KokoroEngine, fit: FakeFit, sample: Sample, pool: ModelPool
) -> None:
    cancel = CancelToken()
    engine.refine_voice(sample, no_progress, cancel)
    give_way = fit.given["check"]
    give_way()  # nobody computes
    passed = threading.Event()

    def work() -> None:
        give_way()
        passed.set()

    with pool.run_slot("cpu"):
        waiting = threading.Thread(target=work)
        waiting.start()
        assert not passed.wait(0.3)
    assert passed.wait(10)
    waiting.join()
    with pool.run_slot("cpu"):
        cancel.cancel()
        with pytest.raises(JobCancelled):
            give_way()


def test_a_match_is_a_voice_and_says_what_it_is_made_of(
    engine: KokoroEngine, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def match(*arguments: Any) -> instant_match.InstantMatch:
        names = ("timbre", "campplus", "voices", "samples", "sample_rate_hz")
        given.update(zip(names, arguments, strict=True))
        pack = np.full((510, 1, 256), 0.5, np.float32)
        shares = {"am_two": 0.75, "af_one": 0.25}
        return instant_match.InstantMatch(pack, "am_two", shares, 0.2, 0.5, 0.9, 120.0)

    monkeypatch.setattr(instant_match, "match_instantly", match)
    monkeypatch.setattr(whisper_features, "load_whisper_features", lambda folder, check: folder)
    monkeypatch.setattr(sample_voice, "trim_to_speech", lambda speech: speech)
    prompt = engine.prepare_voice(sample, no_progress, CancelToken())
    assert isinstance(given["campplus"], CampplusEncoder)
    assert sorted(given["voices"]) == ["af_one", "am_two"]
    assert given["samples"].shape == (32_000,)
    assert prompt.info["mix"] == {"am_two": 0.75, "af_one": 0.25}
    assert (prompt.info["refined"], prompt.info["expected_similarity"]) == (False, 0.5)
    voice = voice_of_prompt(prompt)
    assert float(voice.pack[0, 0, 0]) == 0.5
    assert (voice.layer_offsets, voice.speed) == (None, 1.0)
    assert engine.prompt_parameters() != engine.refining_parameters()
