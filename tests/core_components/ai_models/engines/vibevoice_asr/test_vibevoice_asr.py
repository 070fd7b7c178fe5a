"""VibeVoice-ASR on a tiny model that knows one answer: the real loading and listening code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.asr_manager import ASRManager
from modules.core_components.ai_models.engines.vibevoice_asr.engine import VibeVoiceAsrOptions
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    ModelMissingError,
)
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.settings import load_settings
from modules.core_components.text.subtitles import render
from modules.core_components.values import Segment, Speech, Transcript
from tests.helpers.errors import detailed
from tests.helpers.tiny_vibevoice import FOLDERS, install_tiny

MODEL = "vibevoice-asr"
SPOKEN = [
    Segment("Good morning.", 0.0, 0.9, speaker="Speaker 1"),
    Segment("Good morning to you.", 0.9, 1.7, speaker="Speaker 2"),
    Segment("Shall we begin?", 1.9, 2.8, speaker="Speaker 1"),
]


@pytest.fixture(scope="module")
def studio(
    tiny_vibevoice_asr: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ASRManager]:
    root = tmp_path_factory.mktemp("studio")
    install_tiny(tiny_vibevoice_asr, root / "models", MODEL)
    overrides = {"device": "cpu", "models_folder": str(root / "models"), "torch_threads": 1}
    pool = ModelPool({"cpu": 2**36}, meter=lambda device: 0)
    yield ASRManager(load_settings(root, overrides), pool)
    pool.close()


def noise(seconds: float, rate_hz: int = 24_000) -> Speech:
    samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * rate_hz))
    return Speech(samples.astype(np.float32), rate_hz)


def heard(studio: ASRManager, speech: Speech, **options: Any) -> tuple[list[Segment], list[str]]:
    running = studio.get_vibevoice_asr().transcribe(
        speech, VibeVoiceAsrOptions(**options), no_progress, CancelToken()
    )
    return list(running.segments), list(running.notes)


def test_who_said_what_and_when(studio: ASRManager) -> None:
    running = studio.get_vibevoice_asr().transcribe(
        noise(3.0), VibeVoiceAsrOptions(), no_progress, CancelToken()
    )
    assert list(running.segments) == SPOKEN
    assert not running.notes
    assert running.info.duration_s == pytest.approx(3.0)
    assert running.info.language == "en"


def test_sounds_are_noted_when_asked_for(studio: ASRManager) -> None:
    segments, _ = heard(studio, noise(3.0), sounds=True)
    assert [(s.text, s.speaker) for s in segments if s.speaker is None] == [("[Silence]", None)]
    assert len(segments) == 4


def test_the_model_hears_24_khz_whatever_comes(
    studio: ASRManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = prompts_of(studio, monkeypatch, noise(3.0, rate_hz=16_000), hotwords="Zanzibar")
    (request,) = lengths
    assert len(request["audio"]) == 3 * 24_000
    assert request["prompt"] == "Zanzibar"


def prompts_of(
    studio: ASRManager, monkeypatch: pytest.MonkeyPatch, speech: Speech, **options: Any
) -> list[dict[str, Any]]:
    from transformers import VibeVoiceAsrProcessor

    asked: list[dict[str, Any]] = []
    request = VibeVoiceAsrProcessor.apply_transcription_request

    def spied(self: Any, **given: Any) -> Any:
        asked.append(given)
        return request(self, **given)

    monkeypatch.setattr(VibeVoiceAsrProcessor, "apply_transcription_request", spied)
    heard(studio, speech, **options)
    return asked


def test_hotwords_are_in_the_prompt(studio: ASRManager) -> None:
    engine: Any = studio.get(MODEL)
    with studio.pool.lease(engine.model_spec(), None, "a test") as network:
        request = network.processor.apply_transcription_request(
            audio=noise(1.0).samples, prompt="Zanzibar"
        )
        assert "Zanzibar" in network.processor.tokenizer.decode(request["input_ids"][0])


def test_a_long_recording_is_heard_in_stretches(studio: ASRManager) -> None:
    segments, notes = heard(studio, noise(62.0), window_minutes=1)
    assert [s.text for s in segments] == [s.text for s in SPOKEN] * 2
    assert [s.start_s for s in segments[3:]] == pytest.approx([60.0, 60.9, 61.9])
    # The tiny studio has no speaker encoder: new numbers, and a note that says so.
    assert [s.speaker for s in segments[3:]] == ["Speaker 3", "Speaker 4", "Speaker 3"]
    assert len([note for note in notes if "speaker encoder" in note]) == 1


def test_an_answer_that_is_too_long_is_continued_and_told(studio: ASRManager) -> None:
    segments, notes = heard(studio, noise(3.0), max_new_tokens=8)
    assert notes
    assert "rest was transcribed separately" in notes[0]
    assert segments[: len(SPOKEN)] == SPOKEN
    assert segments[len(SPOKEN) :]  # what came behind the break


def test_silence_says_nothing(studio: ASRManager) -> None:
    assert heard(studio, Speech(np.zeros(24_000, np.float32), 24_000)) == ([], [])


def test_broken_audio_is_refused(studio: ASRManager) -> None:
    with pytest.raises(BadInputError, match="not numbers"):
        heard(studio, Speech(np.full(24_000, np.nan, np.float32), 24_000))


def test_cancelling_while_it_listens_and_while_it_writes(studio: ASRManager) -> None:
    engine: Any = studio.get(MODEL)
    for layer in ("acoustic_tokenizer_encoder", "language_model"):
        cancel = CancelToken()
        with studio.pool.lease(engine.model_spec(), None, "a test") as network:
            module = getattr(network.model.model, layer)
            hook = module.register_forward_pre_hook(lambda *_, token=cancel: token.cancel())
            with pytest.raises(JobCancelled):
                engine.transcribe(noise(3.0), VibeVoiceAsrOptions(), no_progress, cancel)
            hook.remove()
    assert heard(studio, noise(3.0))[0] == SPOKEN  # nothing is left of it


def test_progress_follows_the_answer(studio: ASRManager) -> None:
    seen: list[float] = []
    running = studio.get(MODEL).transcribe(
        noise(3.0), VibeVoiceAsrOptions(), lambda at, message: seen.append(at), CancelToken()
    )
    list(running.segments)
    assert seen == sorted(seen)
    assert any(0.5 < at < 1.0 for at in seen)


def test_subtitles_name_the_speakers() -> None:
    said = Transcript("Good morning.", "en", tuple(SPOKEN), 3.0)
    assert "00:00:00,900 --> 00:00:01,700\nSpeaker 2: Good morning to you." in render(said, "srt")
    assert "<v Speaker 2>Good morning to you.</v>" in render(said, "vtt")


@pytest.fixture
def broken(tmp_path: Path, tiny_vibevoice_asr: Path) -> Iterator[tuple[Path, ASRManager]]:
    """The folder of a model of one's own to spoil, and the studio it belongs to."""
    install_tiny(tiny_vibevoice_asr, tmp_path / "models", MODEL)
    overrides = {"device": "cpu", "models_folder": str(tmp_path / "models")}
    pool = ModelPool({"cpu": 2**36}, meter=lambda device: 0)
    yield tmp_path / "models" / FOLDERS[MODEL], ASRManager(load_settings(tmp_path, overrides), pool)
    pool.close()


def test_the_old_layout_is_explained(broken: tuple[Path, ASRManager]) -> None:
    folder, manager = broken
    old = {"model_type": "vibevoice", "decoder_config": {}, "acoustic_tokenizer_config": {}}
    (folder / "config.json").write_text(json.dumps(old), encoding="utf-8")
    with pytest.raises(CorruptFileError, match="old layout") as raised:
        manager.get(MODEL).load()
    assert "microsoft/VibeVoice-ASR-HF" in raised.value.hint


def test_a_missing_tokenizer_is_named(broken: tuple[Path, ASRManager]) -> None:
    folder, manager = broken
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelMissingError, check=detailed(r"tokenizer\.json")):
        manager.get(MODEL).load()


def test_truncated_weights_are_told(broken: tuple[Path, ASRManager]) -> None:
    folder, manager = broken
    weights = folder / "model-00003-of-00008.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(CorruptFileError, match="could not be loaded"):
        manager.get(MODEL).load()
