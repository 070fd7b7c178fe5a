"""What engines share about torch: devices, types, attention, seeds, memory. Imports torch late."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.errors import StudioError
from modules.core_components.settings import app_folder, load_settings
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


ModelT = TypeVar("ModelT")

_seeding = threading.RLock()
_importing = threading.Lock()
_AMPERE = (8, 0)  # first with bfloat16 units, and what flash-attention 2 is built for


def import_transformers() -> None:
    """Imports transformers, for what imports it next, perhaps in several threads at once.

    The package puts another module in its own place while it is imported. A second thread that
    asks for it meanwhile gets the one that was replaced, which has no models: "cannot import name".
    """
    with _importing:
        import transformers  # noqa: F401


def get_device(preference: str = "auto") -> str:
    """The device to compute on: "cuda:0", "mps" or "cpu", or the one that `preference` names.

    Raises StudioError for a device that is not here.
    """
    if preference == "cpu":
        return "cpu"
    here = devices_here()
    if preference in ("auto", ""):
        return here[0]
    wanted = "cuda:0" if preference == "cuda" else preference
    if wanted in here:
        return wanted
    raise StudioError(
        _("The device {preference!r} is not on this machine.", preference=preference),
        _("This machine has {here}; auto takes the first.", here=", ".join(here)),
    )


def devices_here() -> list[str]:
    """The devices of this machine, the one that "auto" takes first: "cuda:0", ..., "mps", "cpu"."""
    import torch

    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def get_dtype(device: str | torch.device | None = None, preference: str = "auto") -> torch.dtype:
    """The float type for weights on a device: "float32" or "bfloat16" where that is preferred.

    Else bfloat16 on GPUs that compute with it, float16 on older ones; float32 on the CPU and on
    Apple's GPU, where float16 gives NaN when sampling.
    """
    import torch

    if preference != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[preference]

    device = str(device or get_device())
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
            _("Unknown attention mechanism {preference!r}.", preference=preference),
            _("Choose auto, flash_attention_2, sdpa or eager."),
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


def check_model_available_locally(model_name: str, catalog: Catalog | None = None) -> bool:
    """Whether all files of a model are on this machine; never raises.

    `model_name` is the id of the catalog or the name on the hub, such as
    "Qwen/Qwen3-TTS-12Hz-1.7B-Base". Without `catalog`, that of the studio itself. A name that the
    catalog does not know, and a folder that cannot be read, are False.
    """
    try:
        if catalog is None:
            models_folder = load_settings(app_folder()).models_folder
            catalog = Catalog.load(app_folder() / "configs" / "models.toml", models_folder)
        known = catalog.named(model_name)
        return any(catalog.state(entry) == "installed" for entry in known)
    except (StudioError, OSError) as error:
        logger.warning("It is not known whether %s is here: %s", model_name, error)
        return False


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


_LOOK_S = 0.02


class PeakMemory:
    """Measures while its block runs; what comes and goes within 20 ms on the CPU may be missed.

    `cpu_bytes` is the whole process (resident), `gpu_bytes` what torch held on all NVIDIA GPUs: the
    memory that CTranslate2 (Whisper) takes there is not among it.
    """

    def __init__(self) -> None:
        self.cpu_bytes = 0
        self.gpu_bytes = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="peak memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        import torch

        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)
        self._look()
        self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        import torch

        self._ended.set()
        self._watcher.join()
        self._look()
        devices = range(torch.cuda.device_count())
        self.gpu_bytes = sum(torch.cuda.max_memory_allocated(device) for device in devices)

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        import psutil

        self.cpu_bytes = max(self.cpu_bytes, int(psutil.Process().memory_info().rss))


StepT = TypeVar("StepT")


class SteppedWork(Generic[StepT]):
    """An iterator over what a function gives out of the middle of its work.

    The function runs in a thread of its own, and only while somebody waits in `next`: between two
    steps it stands still, so that the caller can take a run slot and the random generators
    around each step and leave them to others in between. Iterate from one thread at a time.
    """

    def __init__(self, work: Callable[[Callable[[StepT], bool]], None], name: str) -> None:
        """`work` is called with `give`, which hands out a step and returns whether to go on."""
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._go, self._came = threading.Semaphore(0), threading.Semaphore(0)
        self._steps: list[StepT] = []
        self._error: BaseException | None = None
        self._closed = False

    def __iter__(self) -> Iterator[StepT]:
        return self

    def __next__(self) -> StepT:
        """The next step. Raises what the work raises."""
        if self._closed:
            raise StopIteration
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.release()
        self._came.acquire()
        if self._steps:
            return self._steps.pop()
        self._closed = True
        self._thread.join()
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Has the work end where it stands, and waits for that; what it raises then is dropped."""
        self._closed = True
        if self._thread.is_alive():
            self._go.release()
            self._thread.join()

    def _give(self, step: StepT) -> bool:
        if self._closed:
            return False
        self._steps.append(step)
        self._came.release()
        self._go.acquire()
        return not self._closed

    def _run(self) -> None:
        try:
            self._work(self._give)
        except BaseException as error:  # noqa: BLE001 - raised where the steps are taken
            self._error = error
        finally:
            self._came.release()
