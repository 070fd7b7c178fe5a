"""What engines ask about torch and the machine, with GPUs that are only pretended."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from modules.core_components.ai_models import model_utils
from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.model_pool import automatic_budgets, is_out_of_memory
from modules.core_components.errors import StudioError
from modules.core_components.settings import app_folder

GIB = 2**30


def pretend_gpus(
    monkeypatch: pytest.MonkeyPatch, count: int, capability: tuple[int, int] = (8, 6)
) -> None:
    properties = SimpleNamespace(total_memory=24 * GIB)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def pretend_apple(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


def test_the_best_device_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, 0)
    assert model_utils.get_device() == "cpu"
    pretend_apple(monkeypatch)
    assert model_utils.get_device() == "mps"
    pretend_gpus(monkeypatch, 2)
    assert model_utils.get_device() == "cuda:0"
    assert model_utils.get_device("cuda") == "cuda:0"
    assert model_utils.get_device("cuda:1") == "cuda:1"
    assert model_utils.get_device("cpu") == "cpu"
    with pytest.raises(StudioError, match="'cuda:2' is not on this machine"):
        model_utils.get_device("cuda:2")


def test_the_dtype_fits_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_utils.get_dtype("cpu") is torch.float32
    assert model_utils.get_dtype("mps") is torch.float32  # float16 gives NaN there
    assert model_utils.get_dtype(torch.device("cpu")) is torch.float32
    pretend_gpus(monkeypatch, 1, capability=(8, 0))
    assert model_utils.get_dtype("cuda:0") is torch.bfloat16
    assert model_utils.get_dtype(torch.device("cuda", 0)) is torch.bfloat16
    assert model_utils.get_dtype() is torch.bfloat16
    pretend_gpus(monkeypatch, 1, capability=(7, 5))
    assert model_utils.get_dtype("cuda:0") is torch.float16


def test_attention_is_tried_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempts(preference: str, device: str = "cuda:0") -> list[str]:
        return model_utils.get_attention_implementation(preference, device)

    pretend_gpus(monkeypatch, 1)
    monkeypatch.setattr(model_utils.importlib.util, "find_spec", lambda name: None)
    assert attempts("auto") == attempts("flash_attention_2") == ["sdpa", "eager"]
    assert attempts("sdpa") == ["sdpa", "eager"]
    assert attempts("eager") == ["eager"]

    monkeypatch.setattr(model_utils.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "flash_attn", SimpleNamespace())
    assert attempts("auto") == ["flash_attention_2", "sdpa", "eager"]
    assert attempts("auto", "cpu") == ["sdpa", "eager"]
    pretend_gpus(monkeypatch, 1, capability=(7, 5))
    assert attempts("flash_attention_2") == ["sdpa", "eager"]
    with pytest.raises(StudioError, match="Unknown attention"):
        attempts("flash3")


def test_flash_attention_that_does_not_load_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError("undefined symbol: _ZN3c10")

    pretend_gpus(monkeypatch, 1)
    monkeypatch.setattr(model_utils.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(model_utils.importlib, "import_module", broken)
    assert model_utils.get_attention_implementation("auto", "cuda:0") == ["sdpa", "eager"]


def test_the_next_attention_is_tried_only_when_one_is_refused() -> None:
    tried: list[str] = []

    def load(refusals: dict[str, Exception]) -> Any:
        def loading(attention: str) -> str:
            tried.append(attention)
            if attention in refusals:
                raise refusals[attention]
            return f"model with {attention}"

        return model_utils.load_with_attention(loading, ["flash_attention_2", "sdpa", "eager"])

    refused = {
        "flash_attention_2": ImportError("FlashAttention2 has been toggled on, but ..."),
        "sdpa": ValueError("X does not support an attention implementation through "
                           "torch.nn.functional.scaled_dot_product_attention yet"),
    }  # fmt: skip
    assert load(refused) == ("model with eager", "eager")
    assert tried == ["flash_attention_2", "sdpa", "eager"]
    for fault in (
        torch.cuda.OutOfMemoryError("CUDA out of memory in flash attention"),
        ValueError("attention mask should be of size (1, 8)"),
        OSError("model.safetensors not found"),
    ):
        tried.clear()
        with pytest.raises(type(fault)):
            load({"flash_attention_2": fault})
        assert tried == ["flash_attention_2"]


def test_availability_goes_through_the_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog.load(app_folder() / "configs" / "models.toml", tmp_path)
    available = model_utils.check_model_available_locally
    assert not available("whisper-tiny.en", catalog)
    entry = catalog.entry("whisper-tiny.en")
    catalog.folder(entry).mkdir(parents=True)
    for file in entry.files:
        (catalog.folder(entry) / file.name).write_bytes(b"x")
    assert available("whisper-tiny.en", catalog)
    monkeypatch.setenv("VOICE_STUDIO_MODELS", str(tmp_path))
    assert available("whisper-tiny.en")
    assert available(model_name="Systran/faster-whisper-tiny.en", catalog=catalog)
    assert not available("Systran/faster-whisper-large-v3", catalog)
    for unknown in ("whisper-enormous", "nobody/nothing", "", "../..", "\0"):
        assert available(unknown, catalog) is False


def test_availability_of_a_broken_studio_is_unknown_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_utils, "app_folder", lambda: tmp_path)  # without a catalog
    assert model_utils.check_model_available_locally("whisper-base") is False


def test_seeded_work_is_repeatable_whatever_others_draw() -> None:
    start = threading.Barrier(4)

    def draw(seed: int) -> list[float]:
        start.wait(10)
        drawn = []
        for _ in range(50):
            with model_utils.seeded(seed):
                drawn.append(float(torch.rand(100).sum() + torch.rand(1)))
        return drawn

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(draw, [1, 2, 1, 2]))
    assert [len(set(drawn)) for drawn in found] == [1, 1, 1, 1]
    assert found[0] == found[2] != found[1] == found[3]


def test_seeded_leaves_the_global_generator_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with contextlib.suppress(ZeroDivisionError), model_utils.seeded(99):
        torch.rand(10)
        _ = 1 / 0
    assert torch.equal(torch.rand(3), expected)


def test_threads_are_set_once_and_counted_from_what_may_be_used() -> None:
    before = torch.get_num_threads()
    try:
        assert model_utils.configure_threads(3) == 3 == torch.get_num_threads()
        assert model_utils.configure_threads(0) == model_utils.usable_cores()
        assert 1 <= model_utils.usable_cores() <= (os.cpu_count() or 1)
    finally:
        torch.set_num_threads(before)


def test_module_bytes_count_shared_weights_once() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(10, 10), torch.nn.Linear(10, 10))
    assert model_utils.module_bytes(module) == 4 * 2 * 110
    module[1].weight = module[0].weight
    assert model_utils.module_bytes(module) == 4 * (110 + 10)


def test_gpu_memory_is_given_back_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    emptied = []
    pretend_gpus(monkeypatch, 1)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: 3 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 4 * GIB)
    model_utils.empty_cuda_cache()
    assert emptied == [1]
    with caplog.at_level(logging.INFO):
        model_utils.log_gpu_memory("after loading")
    assert "GPU 0 after loading: 3.00 GiB allocated, 4.00 GiB reserved" in caplog.text


def test_budgets_follow_the_settings_or_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets_module = "modules.core_components.ai_models.model_pool.budgets"
    monkeypatch.setattr(f"{budgets_module}.total_memory_bytes", lambda: 32 * GIB)
    pretend_gpus(monkeypatch, 2)
    assert automatic_budgets() == {
        "cpu": 16 * GIB,
        "host": 8 * GIB,
        "cuda:0": 24 * GIB - int(2.4 * GIB),
        "cuda:1": 24 * GIB - int(2.4 * GIB),
    }
    assert automatic_budgets(cpu_gb=4, gpu_gb=8.5) == {
        "cpu": 4 * GIB,
        "host": 4 * GIB,
        "cuda:0": int(8.5 * GIB),
        "cuda:1": int(8.5 * GIB),
    }
    pretend_apple(monkeypatch)
    assert automatic_budgets() == {"cpu": 16 * GIB, "host": 0, "mps": 16 * GIB - int(1.6 * GIB)}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("CUDA failed with error out of memory"), True),  # CTranslate2
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("attention mask has the wrong shape"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_running_out_of_memory_is_recognised(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


_REPLACES_ITSELF = """
import sys, time, types
sys.both_are_about_to_import.wait(60)
time.sleep(0.2)
class Lazy(types.ModuleType):
    AlbertModel = 1
sys.modules[__name__] = Lazy(__name__)
"""


def test_transformers_is_whole_for_threads_that_import_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the lock the second thread gets, nearly always, the module that was replaced."""
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers" / "__init__.py").write_text(_REPLACES_ITSELF)
    for name in [name for name in sys.modules if name.partition(".")[0] == "transformers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    both_are_about_to_import = threading.Barrier(2)
    monkeypatch.setattr(sys, "both_are_about_to_import", threading.Event(), raising=False)

    def use() -> object:
        both_are_about_to_import.wait(60)
        sys.both_are_about_to_import.set()  # type: ignore[attr-defined]
        model_utils.import_transformers()
        from transformers import AlbertModel

        return AlbertModel

    try:
        with ThreadPoolExecutor(2) as executor:
            assert [future.result() for future in [executor.submit(use) for _ in range(2)]] == [
                1,
                1,
            ]
    finally:
        sys.modules.pop("transformers", None)
