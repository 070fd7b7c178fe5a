"""What every engine needs to know about torch and the machine. torch is imported when asked."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.errors import StudioError
from modules.core_components.settings import app_folder, load_settings

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

ModelT = TypeVar("ModelT")

_seeding = threading.RLock()
_AMPERE = (8, 0)  # first with bfloat16 units, and what flash-attention 2 is built for


def get_device(preference: str = "auto") -> str:
    """The device to compute on: "cuda:0", "mps" or "cpu", or the one that `preference` names.

    Raises StudioError for a device that is not here.
    """
    if preference == "cpu":
        return "cpu"
    import torch

    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    here = [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]
    if preference in ("auto", ""):
        return here[0]
    wanted = "cuda:0" if preference == "cuda" else preference
    if wanted in here:
        return wanted
    raise StudioError(
        f"The device {preference!r} is not on this machine.",
        f"This machine has {', '.join(here)}; auto takes the first.",
    )


def get_dtype(device: str | None = None, preference: str = "auto") -> torch.dtype:
    """The float type for weights on a device: "float32" or "bfloat16" where that is preferred.

    Else bfloat16 on GPUs that compute with it, float16 on older ones; float32 on the CPU and on
    Apple's GPU, where float16 gives NaN when sampling.
    """
    import torch

    if preference != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[preference]

    device = device or get_device()
    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= _AMPERE else torch.float16


def get_attention_implementation(preference: str = "auto", device: str | None = None) -> list[str]:
    """The implementations to try, in order, as transformers names them.

    "auto" and "flash_attention_2" begin with flash-attention where it is installed and usable.
    Raises StudioError for an unknown preference.
    """
    if preference not in ("auto", "flash_attention_2", "sdpa", "eager"):
        raise StudioError(
            f"Unknown attention mechanism {preference!r}.",
            "Choose auto, flash_attention_2, sdpa or eager.",
        )
    if preference == "eager":
        return ["eager"]
    if preference == "sdpa":
        return ["sdpa", "eager"]
    flash = ["flash_attention_2"] if _flash_attention_usable(device or get_device()) else []
    return [*flash, "sdpa", "eager"]


def load_with_attention(
    load: Callable[[str], ModelT], attempts: Sequence[str]
) -> tuple[ModelT, str]:
    """The first model that `load(attention)` returns, and the attention it was loaded with.

    transformers refuses an implementation with ImportError or ValueError that names it; only then
    the next one is tried. Every other error, running out of memory too, is the caller's.
    """
    for attention in attempts[:-1]:
        try:
            return load(attention), attention
        except (ImportError, ValueError) as error:
            if not _refuses(error, attention):
                raise
            logger.info("No %s here (%s); trying the next", attention, error)
    return load(attempts[-1]), attempts[-1]


def check_model_available_locally(model_id: str, catalog: Catalog | None = None) -> bool:
    """Whether all files of a model of the catalog are on this machine.

    Without `catalog`, that of the studio itself. Raises NotFoundError for an unknown id.
    """
    if catalog is None:
        models_folder = load_settings(app_folder()).models_folder
        catalog = Catalog.load(app_folder() / "configs" / "models.toml", models_folder)
    return catalog.state(catalog.entry(model_id)) == "installed"


def empty_cuda_cache() -> None:
    """Gives memory of objects that are gone back to the GPU (CUDA or Apple's)."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None:  # then nothing of it can be on a GPU
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def log_gpu_memory(label: str = "") -> None:
    """Logs what each GPU holds: used by models and reserved by torch, in GiB."""
    import torch

    for index in range(torch.cuda.device_count()):
        allocated, reserved = torch.cuda.memory_allocated(index), torch.cuda.memory_reserved(index)
        logger.info(
            "GPU %d %s: %.2f GiB allocated, %.2f GiB reserved",
            index, label, allocated / 2**30, reserved / 2**30,
        )  # fmt: skip


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs the block on torch's global random generators seeded with `seed`, then restores them.

    Models draw from the global generators, which all threads share: one block at a time in the
    process, so that no thread disturbs another's numbers. Do not yield from inside.
    """
    import torch

    gpus = range(torch.cuda.device_count())
    with _seeding, torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield


class RandomStream:
    """As `seeded`, for work in steps: each `drawing` goes on where the last one stopped.

    Between two steps, others may draw, or wait; they neither disturb nor are disturbed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._states: tuple[torch.Tensor, list[torch.Tensor]] | None = None

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Runs the block on torch's global generators, as they were left. Do not yield inside."""
        import torch

        with seeded(self._seed):
            if self._states is not None:
                torch.set_rng_state(self._states[0])
                if self._states[1]:
                    torch.cuda.set_rng_state_all(self._states[1])
            try:
                yield
            finally:
                gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
                self._states = (torch.get_rng_state(), gpus)


def configure_threads(count: int = 0) -> int:
    """Sets torch's threads for one operation and returns how many; 0 takes one a usable core."""
    import torch

    threads = count if count > 0 else usable_cores()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def module_bytes(module: torch.nn.Module) -> int:
    """What a module's parameters and buffers take; for `ModelSpec.measure`."""
    tensors: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        tensors[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
    return sum(int(storage.nbytes()) for storage in tensors.values())


def _flash_attention_usable(device: str) -> bool:
    if not device.startswith("cuda") or importlib.util.find_spec("flash_attn") is None:
        return False
    import torch

    if torch.cuda.get_device_capability(device) < _AMPERE:
        return False
    try:
        importlib.import_module("flash_attn")
    except (ImportError, OSError) as error:  # built for another torch
        logger.warning("flash-attention is installed but does not load: %s", error)
        return False
    return True


def _refuses(error: Exception, attention: str) -> bool:
    said = str(error).lower()
    names = {"flash_attention_2": "flash", "sdpa": "scaled_dot_product_attention"}
    return attention in said or names.get(attention, attention) in said
