"""Kokoro v1.0 loaded from a folder and spoken with: the real code on a tiny random model."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.engines.kokoro.pipeline import SAMPLES_PER_FRAME
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import get_phonemizer
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    ModelMissingError,
    StudioError,
)
from tests.helpers.errors import detailed

PHONEMES = "həlˈO wˈɜɹld."


@pytest.fixture(scope="module")
def model(tiny_kokoro: Path) -> KokoroV1Wrapper:
    return load(tiny_kokoro)


@pytest.fixture
def copy(tiny_kokoro: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_kokoro, tmp_path / "kokoro")
    return tmp_path / "kokoro"


@pytest.fixture
def style() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (1, 256)).astype(np.float32))


def load(folder: Path) -> KokoroV1Wrapper:
    return KokoroV1Wrapper(folder / CONFIG_FILE, folder / WEIGHTS_FILE)


def test_it_speaks_as_long_as_it_predicts(model: KokoroV1Wrapper, style: torch.Tensor) -> None:
    utterance = model.synthesize(PHONEMES, style)
    assert utterance.samples.dtype == np.float32
    assert utterance.durations_frames.shape == (len(PHONEMES) + 2,)
    assert len(utterance.samples) == utterance.durations_frames.sum() * SAMPLES_PER_FRAME
    assert np.abs(utterance.samples).max() > 0.001


def test_seeded_speech_is_the_same_bit_for_bit(model: KokoroV1Wrapper, style: torch.Tensor) -> None:
    def say(seed: int) -> bytes:
        return model.synthesize(PHONEMES, style, seed=seed).samples.tobytes()

    assert say(5) == say(5)
    assert say(5) != say(6)


def test_speed_shortens_speech(model: KokoroV1Wrapper, style: torch.Tensor) -> None:
    usual = model.synthesize(PHONEMES, style).durations_frames.sum()
    assert model.synthesize(PHONEMES, style, speed=2.0).durations_frames.sum() < usual


def test_one_phoneme_and_the_longest_utterance_are_spoken(
    model: KokoroV1Wrapper, style: torch.Tensor
) -> None:
    for count in (1, 510):
        assert len(model.synthesize("ə" * count, style).durations_frames) == count + 2


@pytest.mark.parametrize("phonemes", ["", "ə" * 511])
def test_none_and_too_many_phonemes_are_refused(
    model: KokoroV1Wrapper, style: torch.Tensor, phonemes: str
) -> None:
    with pytest.raises(BadInputError, match="510"):
        model.synthesize(phonemes, style)


def test_unknown_phonemes_are_named_and_not_dropped(
    model: KokoroV1Wrapper, style: torch.Tensor
) -> None:
    with pytest.raises(BadInputError, match="'€'"):
        model.synthesize("a€", style)


def test_the_vocabulary_is_known_without_loading(tiny_kokoro: Path) -> None:
    assert "ˈ" in KokoroV1Wrapper.read_phonemes(tiny_kokoro / CONFIG_FILE)


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelMissingError, check=detailed(name)):
        load(copy)


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("content", [b"", b"Not found", b"PK\x03\x04" + b"\x00" * 500])
def test_a_damaged_file_is_named(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(CorruptFileError, check=detailed(name)):
        load(copy)


def test_a_file_cut_short_is_named(copy: Path) -> None:
    path = copy / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorruptFileError, check=detailed(WEIGHTS_FILE)):
        load(copy)


def test_a_missing_weight_is_named_and_not_left_random(copy: Path) -> None:
    states = torch.load(copy / WEIGHTS_FILE, weights_only=True)
    del states["predictor"]["duration_proj.linear_layer.weight"]
    torch.save(states, copy / WEIGHTS_FILE)
    with pytest.raises(CorruptFileError, check=detailed("duration_proj")):
        load(copy)


def test_a_missing_module_is_named(copy: Path) -> None:
    states = torch.load(copy / WEIGHTS_FILE, weights_only=True)
    del states["decoder"]
    torch.save(states, copy / WEIGHTS_FILE)
    with pytest.raises(CorruptFileError, check=detailed("decoder")):
        load(copy)


def test_weights_of_another_shape_are_named(copy: Path) -> None:
    states = torch.load(copy / WEIGHTS_FILE, weights_only=True)
    states["bert_encoder"]["bias"] = torch.zeros(7)
    torch.save(states, copy / WEIGHTS_FILE)
    with pytest.raises(CorruptFileError, check=detailed(r"bias.*7")):
        load(copy)


def test_a_config_without_its_parts_is_named(copy: Path) -> None:
    config = json.loads((copy / CONFIG_FILE).read_text(encoding="utf-8"))
    del config["istftnet"]
    (copy / CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CorruptFileError, check=detailed(CONFIG_FILE)):
        load(copy)


def test_names_with_the_prefix_of_data_parallel_load_too(
    copy: Path, model: KokoroV1Wrapper
) -> None:
    states = torch.load(copy / WEIGHTS_FILE, weights_only=True)
    prefixed = {
        module: {f"module.{name}": tensor for name, tensor in state.items()}
        for module, state in states.items()
    }
    torch.save(prefixed, copy / WEIGHTS_FILE)
    loaded = load(copy).model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.model.state_dict().items())


def test_loading_prints_nothing_and_keeps_the_hosts_log_sinks(tiny_kokoro: Path) -> None:
    """In a process of its own: the package's side effects happen at its first import."""
    script = f"""
from pathlib import Path
from loguru import logger
heard = []
logger.remove()
logger.add(heard.append, format="{{message}}")
from modules.core_components.ai_models.engines.kokoro.wrapper import KokoroV1Wrapper
folder = Path({str(tiny_kokoro)!r})
KokoroV1Wrapper(folder / "{CONFIG_FILE}", folder / "{WEIGHTS_FILE}")
logger.info("still here")
assert len(heard) == 1, heard
second = logger.add(heard.append)
logger.remove(second)
"""
    root = Path(__file__).parents[5]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "WARNING" not in done.stderr
    assert "still here" not in done.stderr


def pieces_of(model: KokoroV1Wrapper, *arguments: Any) -> list[torch.Tensor]:
    async def gather() -> list[torch.Tensor]:
        return [piece async for piece in model.forward(*arguments)]

    return asyncio.run(gather())


def test_forward_speaks_a_text_in_its_language(model: KokoroV1Wrapper) -> None:
    """By the language's code or by Kokoro's letter for it, one pipeline for both."""
    text = "Hello world. " * 12
    first = pieces_of(model, text, "af_one", "a")
    again = pieces_of(model, text, "af_one", "en-us")
    assert len(first) > 1
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert model.get_pipeline("a") is model.get_pipeline("en-us")
    assert model.get_pipeline("b") is not model.get_pipeline("a")


@pytest.mark.parametrize(
    ("text", "voice", "language", "named"),
    [
        ("Hello", "af_one", "xx", "'xx'"),
        ("Hello", "nobody", "a", "nobody"),
        ("Привет", "af_one", "a", "П"),
        (" ", "af_one", "a", "nothing to speak"),
    ],
)
def test_forward_refuses_before_the_first_sample(
    model: KokoroV1Wrapper, text: str, voice: str, language: str, named: str
) -> None:
    with pytest.raises(BadInputError, match=named):
        pieces_of(model, text, voice, language)


def test_a_pipeline_that_failed_is_tried_again(
    model: KokoroV1Wrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def built(language: Any) -> Any:
        attempts.append(language.code)
        if len(attempts) == 1:
            raise OSError("no dictionary")
        return lambda text, given: []

    monkeypatch.setattr(get_phonemizer(), "_build_reader", built)
    get_phonemizer()._readers.pop("hi", None)
    try:
        with pytest.raises(StudioError, match="Hindi"):
            model.get_pipeline("h")
        assert model.get_pipeline("h").language == "hi"
        assert attempts == ["hi", "hi"]
    finally:
        get_phonemizer()._readers.pop("hi", None)
