"""Two GPUs that are not there: which model goes where, how, and what to do where it does not fit.

The catalog, the engines' handles and the pool are the real ones; only torch is told that it has
two GPUs. Nothing is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.ai_models import ASRManager, TTSManager
from modules.core_components.ai_models.model_pool import ModelPool, automatic_budgets
from modules.core_components.errors import BadInputError, ModelTooLargeError, StudioError
from modules.core_components.settings import load_settings, save_settings

GIB = 2**30
QWEN, SMALL = "qwen3-tts-1.7b-base", "qwen3-tts-0.6b-base"


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))


def managers(
    root: Path, chosen: Mapping[str, Any], budgets: Mapping[str, int] | None = None
) -> tuple[TTSManager, ASRManager]:
    settings = load_settings(root, {"models_folder": str(root / "models"), **chosen})
    pool = ModelPool(budgets or {"cuda:0": 80 * GIB, "cuda:1": 80 * GIB, "cpu": 80 * GIB})
    return TTSManager(settings, pool), ASRManager(settings, pool)


def spec_of(manager: Any, model_id: str) -> Any:
    return manager.get(model_id).model_spec()


def test_speaking_and_listening_on_devices_of_their_own(tmp_path: Path) -> None:
    tts, asr = managers(tmp_path, {"device": "cuda:0", "listening_device": "cuda:1"})
    assert spec_of(tts, QWEN).device == "cuda:0"
    assert spec_of(asr, "vibevoice-asr").device == "cuda:1"
    assert asr.get_speaker_encoder().model_spec().device == "cuda:1"
    both, hears = managers(tmp_path, {"device": "cuda:1"})
    assert spec_of(both, QWEN).device == spec_of(hears, "vibevoice-asr").device == "cuda:1"


def test_one_model_is_loaded_its_own_way(tmp_path: Path) -> None:
    own = {QWEN: {"device": "cuda:1", "precision": "float32", "keep_loaded": True}}
    tts, _ = managers(tmp_path, {"model_settings": own})
    mine, others = spec_of(tts, QWEN), spec_of(tts, SMALL)
    assert (mine.device, mine.keep, tts.get(QWEN).precision) == ("cuda:1", True, "float32")
    assert (others.device, others.keep, tts.get(SMALL).precision) == ("cuda:0", False, "bfloat16")
    assert mine.key.endswith("/float32/cuda:1"), "its weights are other ones"


def test_attention_of_one_model(tmp_path: Path) -> None:
    own = {"vibevoice-1.5b": {"attention_mechanism": "eager"}}
    tts, _ = managers(tmp_path, {"model_settings": own})
    assert tts.context_of("vibevoice-1.5b").attention == ["eager"]
    assert tts.context_of("vibevoice-large").attention == ["sdpa", "eager"]


def test_a_device_that_is_not_here_is_named_with_those_that_are(tmp_path: Path) -> None:
    tts, _ = managers(tmp_path, {"model_settings": {QWEN: {"device": "cuda:5"}}})
    with pytest.raises(StudioError, match="'cuda:5' is not on this machine") as told:
        spec_of(tts, QWEN)
    assert "cuda:0, cuda:1, cpu" in told.value.hint
    assert spec_of(tts, SMALL).device == "cuda:0"


@pytest.mark.parametrize(
    ("model_id", "gib", "smaller"),
    [
        ("qwen3-tts-1.7b-base", 4, "Qwen3-TTS 0.6B Base (2.98 GiB)"),
        ("qwen3-tts-1.7b-custom-voice", 4, "Qwen3-TTS 0.6B CustomVoice (2.98 GiB)"),
        ("vibevoice-large", 10, "VibeVoice Large (4-bit) (7.45 GiB) or VibeVoice 1.5B (6.05 GiB)"),
        ("vibevoice-large", 7, "VibeVoice 1.5B (6.05 GiB)"),
        ("qwen3-tts-1.7b-voice-design", 4, "a smaller model"),
        ("qwen3-tts-1.7b-base", 2, "a smaller model"),
    ],
)
def test_what_does_not_fit_names_the_sizes_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_id: str, gib: int, smaller: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: object())
    budgets = {"cuda:0": gib * GIB, "cuda:1": gib * GIB}
    tts, _ = managers(tmp_path, {"device": "cuda:0"}, budgets)
    with pytest.raises(ModelTooLargeError, match=f"only use {gib}.00 GiB on GPU 0") as told:
        tts.get(model_id).load()
    assert told.value.hint.startswith(f"Choose {smaller}, raise the memory budget")


def test_a_four_bit_model_is_no_way_out_on_a_cpu(tmp_path: Path) -> None:
    tts, _ = managers(tmp_path, {"device": "cpu"}, {"cpu": 10 * GIB})
    with pytest.raises(ModelTooLargeError) as told:
        tts.get("vibevoice-large").load()
    assert told.value.hint.startswith("Choose VibeVoice 1.5B (6.05 GiB), raise")


def test_each_gpu_has_its_own_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Card:
        total_memory = 24 * GIB

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Card)
    budgets = automatic_budgets(8, 12, {"cuda:1": 20})
    assert (budgets["cuda:0"], budgets["cuda:1"]) == (12 * GIB, 20 * GIB)
    automatic = automatic_budgets(8, 0, {"cuda:0": 6})
    assert automatic["cuda:0"] == 6 * GIB
    assert automatic["cuda:1"] == pytest.approx(21.6 * GIB)


@pytest.mark.parametrize(
    "budgets",
    [
        *({"cuda:0": given} for given in (None, "", "much", -1, 1025)),
        {"": 8},
        {"tpu:0": 8},
        "cuda:0",
        "cuda:0=8; cuda:1=9",
    ],
)
def test_budgets_that_are_not_understood(tmp_path: Path, budgets: object) -> None:
    with pytest.raises(BadInputError, match="not the memory of a GPU"):
        save_settings(tmp_path, {"gpu_memory_budgets": budgets})


def test_budgets_that_an_earlier_version_wrote_as_text(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"gpu_memory_budgets": "cuda:0=8, cuda:1 = 20.5"}')
    assert load_settings(tmp_path).gpu_memory_budgets == {"cuda:0": 8.0, "cuda:1": 20.5}
    save_settings(tmp_path, {"port": 7000})
    kept = json.loads((tmp_path / "config.json").read_text())
    assert kept == {"gpu_memory_budgets": {"cuda:0": 8.0, "cuda:1": 20.5}, "port": 7000}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({QWEN: {"colour": "red"}}, "qwen3.*no setting 'colour'"),
        ({QWEN: {"precision": "int3"}}, "cannot be 'int3'"),
        ({QWEN: {"keep_loaded": "yes"}}, "must be yes or no"),
        ({QWEN: 7}, "must be a table of names and values"),
    ],
)
def test_settings_of_a_model_that_are_not_understood(
    tmp_path: Path, own: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        save_settings(tmp_path, {"model_settings": own})
