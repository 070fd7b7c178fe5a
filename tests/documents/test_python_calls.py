"""The calls of docs/python.md, run as printed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faster_whisper
import numpy as np
import pytest
import soundfile
import torch

from modules.core_components import ai_models
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.model_utils import (
    check_model_available_locally,
    get_dtype,
)
from modules.core_components.errors import BadInputError
from modules.core_components.settings import load_settings
from modules.core_components.values import Segment, Transcript
from tests.documents.pages import blocks
from tests.helpers.tiny_vibevoice import install_tiny

SPEAKING = blocks("python.md", "python", "Models that speak")[0]
TRANSCRIBING, RESULT = blocks("python.md", "python", "Models that transcribe")
HELPERS = blocks("python.md", "python", "Helpers")[0]
CONFIG = blocks("python.md", "json")[0]


def run(code: str, **names: Any) -> dict[str, Any]:
    exec(code, names)  # noqa: S102 - the page's own example
    return names


@pytest.fixture
def audio_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """audio.wav in the working folder: three seconds of noise."""
    samples = np.random.default_rng(0).normal(0, 0.1, 3 * 24_000).astype(np.float32)
    soundfile.write(tmp_path / "audio.wav", samples, 24_000)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "audio.wav"


class SpokenWhisper:
    """Stands for the weights of Whisper: two segments, whatever is said."""

    def __init__(self, folder: str, **settings: Any) -> None:
        self.model = SimpleNamespace(unload_model=lambda to_cpu=False: None)

    def transcribe(self, samples: Any, **asked: Any) -> tuple[Iterator[Any], Any]:
        info = SimpleNamespace(language="en", language_probability=0.9, duration_after_vad=3.0)
        pieces = [("Good morning.", 0.0, 0.9), ("Shall we begin?", 0.9, 2.8)]
        return iter(
            [SimpleNamespace(text=f" {t}", start=a, end=b, words=None) for t, a, b in pieces]
        ), info


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whisper base is here."""
    monkeypatch.setattr(faster_whisper, "WhisperModel", SpokenWhisper)
    monkeypatch.setattr(Downloader, "verify", lambda self, model_id: tmp_path)
    found = "modules.core_components.ai_models.engines.whisper.speech_regions"
    monkeypatch.setattr(found, lambda speech, cancel: [(0.0, speech.duration_s)])
    folder = tmp_path / "base_models" / "whisper" / "base"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes(b"x")


def test_every_getter_of_the_page_gives_a_handle(
    user_config: dict[str, object], tmp_path: Path
) -> None:
    names = run(SPEAKING, user_config=user_config, samples_dir=tmp_path / "samples")
    models = [value.model_id for name, value in names.items() if name.endswith("_model")]
    assert models == [
        "qwen3-tts-1.7b-base",
        "qwen3-tts-1.7b-voice-design",
        "qwen3-tts-0.6b-custom-voice",
        "vibevoice-1.5b",
    ]


def check_result(result: Transcript, speakers: list[str | None], capsys: Any) -> None:
    run(RESULT, result=result)
    printed = capsys.readouterr().out.splitlines()
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]  # both ways say the same
    assert result["text"] == result.text
    assert result["language"] == result.language == "en"
    assert [s["speaker"] for s in result["segments"]] == speakers
    assert [(s["start"], s["end"], s["text"]) for s in result["segments"]] == [
        (s.start_s, s.end_s, s.text) for s in result.segments
    ]
    assert dict(result)["duration"] == pytest.approx(3.0)
    assert result.get("no such thing") is None
    with pytest.raises(KeyError):
        result["no such thing"]


@pytest.mark.usefixtures("audio_file", "whisper")
def test_whisper_transcribes_a_file(user_config: dict[str, object], capsys: Any) -> None:
    result = run(TRANSCRIBING, user_config=user_config)["result"]
    assert result.text == "Good morning. Shall we begin?"
    check_result(result, [None, None], capsys)


@pytest.mark.usefixtures("audio_file")
def test_vibevoice_transcribes_a_file_where_whisper_is_missing(
    user_config: dict[str, object],
    tiny_vibevoice_asr: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_tiny(tiny_vibevoice_asr, Path(str(user_config["models_folder"])), "vibevoice-asr")
    # The catalog plans with the memory of the full weights, which a small machine lacks.
    pool = ModelPool({"cpu": 2**36}, meter=lambda device: 0)
    monkeypatch.setattr(ai_models.base_manager, "_process_pool", lambda settings: pool)
    result = run(TRANSCRIBING, user_config=user_config)["result"]
    pool.close()
    assert result.text == "Good morning. Good morning to you. Shall we begin?"
    assert result.segments[0] == Segment("Good morning.", 0.0, 0.9, speaker="Speaker 1")
    check_result(result, ["Speaker 1", "Speaker 2", "Speaker 1"], capsys)


@pytest.mark.usefixtures("whisper")
def test_a_file_that_is_no_recording_is_named(
    user_config: dict[str, object], tmp_path: Path
) -> None:
    model = ai_models.get_asr_manager(user_config).get_whisper()
    with pytest.raises(BadInputError, match=r"nothing\.wav"):
        model.transcribe(tmp_path / "nothing.wav")


@pytest.mark.e2e
def test_the_real_whisper_transcribes_a_file(starter_models: Path, tmp_path: Path) -> None:
    config = {"models_folder": str(starter_models), "device": "cpu"}
    soundfile.write(tmp_path / "audio.wav", np.zeros(16_000, np.float32), 16_000)
    result = (
        ai_models.get_asr_manager(config)
        .get_whisper("tiny.en")
        .transcribe(str(tmp_path / "audio.wav"))
    )
    assert (result["text"], result["segments"]) == ("", [])


def test_every_name_of_faster_whisper_is_a_model(user_config: dict[str, object]) -> None:
    asr = ai_models.get_asr_manager(user_config)
    for name in faster_whisper.available_models():
        entry = asr.entry(asr.get_whisper(name).model_id)
        (hub,) = {s.repository for s in entry.sources if s.kind == "hub"}
        assert hub == faster_whisper.utils._MODELS[name]
    assert asr.get_whisper("Large").model_id == "whisper-large-v3"
    assert asr.get_whisper("turbo") is asr.get_whisper("large-v3-turbo")


def test_the_helpers_run_as_printed() -> None:
    names = run(HELPERS)
    assert names["is_here"] in (True, False)
    assert get_dtype(torch.device("cpu")) is torch.float32
    assert names["attempts"][-1] == "eager"


def test_names_of_the_hub_and_ids_are_looked_up(
    user_config: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOICE_STUDIO_MODELS", str(tmp_path))
    tts = ai_models.get_tts_manager({**user_config, "models_folder": str(tmp_path)})
    entry = tts.catalog.entry("qwen3-tts-1.7b-base")
    names = ("Qwen/Qwen3-TTS-12Hz-1.7B-Base", entry.id)
    assert [check_model_available_locally(model_name=name) for name in names] == [False, False]
    for item in entry.files:
        path = tts.catalog.folder(entry) / item.name.replace("*", "x")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert [check_model_available_locally(model_name=name) for name in names] == [True, True]
    for odd in ("nobody/nothing", "", "../etc", "\0", "Qwen/"):
        assert check_model_available_locally(odd) is False


def test_the_printed_config_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        CONFIG.replace('"auto", ', '"eager",').replace("false", "true"), encoding="utf-8"
    )
    settings = load_settings(tmp_path)
    assert settings.attention_mechanism == "eager"
    assert settings.low_cpu_mem_usage
    assert settings.offline_mode
    assert (tmp_path / "config.json").exists()


def test_comments_go_and_strings_stay(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '\ufeff// mine\n{"output_folder": "out//of /* the */ way", /* two\nlines */ "port": 7\n}',
        encoding="utf-8",
    )
    settings = load_settings(tmp_path)
    assert settings.port == 7
    assert settings.output_folder == (tmp_path / "out//of /* the */ way").resolve()


# What Voice Clone Studio writes into its config.json.
ANOTHER_STUDIO = {
    "transcribe_model": "Whisper", "tts_base_size": "Large", "voice_clone_model": "Qwen3 - Large",
    "language": "Auto", "conv_pause_duration": 0.5, "low_cpu_mem_usage": True,
    "attention_mechanism": "sdpa", "offline_mode": True, "samples_folder": "samples",
    "models_folder": "models", "trained_models_folder": "models", "emotions": None,
    "enabled_tools": {"Train Model": False}, "output_format": "wav",
}  # fmt: skip


def test_the_config_of_another_studio_is_taken_for_what_it_shares(
    user_config: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tts = ai_models.get_tts_manager({**ANOTHER_STUDIO, **user_config})
        asr = ai_models.get_asr_manager({**ANOTHER_STUDIO, **user_config})
    assert "no setting conv_pause_duration, emotions, enabled_tools" in caplog.text
    for settings in (tts.settings, asr.settings):
        assert (settings.attention_mechanism, settings.offline_mode) == ("sdpa", True)
        assert settings.low_cpu_mem_usage
    assert tts.context_of("any").low_cpu_mem_usage
    assert tts.user_config["low_cpu_mem_usage"] is True

    (tmp_path / "config.json").write_text(json.dumps(ANOTHER_STUDIO), encoding="utf-8")
    assert load_settings(tmp_path).attention_mechanism == "sdpa"
    with pytest.raises(BadInputError, match="Attention"):
        ai_models.get_tts_manager({"attention_mechanism": "fast"})


def test_with_low_cpu_mem_usage_no_model_leaves_a_copy_in_main_memory(
    user_config: dict[str, object],
) -> None:
    def copies(wanted: bool) -> list[bool]:
        tts = ai_models.get_tts_manager({**user_config, "low_cpu_mem_usage": wanted})
        engines = (tts.get_kokoro(), tts.get_qwen3_base(), tts.get_vibevoice_tts("Large"))
        return [engine.model_spec().to_host is not None for engine in engines]  # type: ignore[attr-defined]

    assert copies(False) == [True, True, True]
    assert copies(True) == [False, False, False]
