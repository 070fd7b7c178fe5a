"""How much memory there is for models, how much is in use, and when it ran out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from modules.core_components.ai_models.model_pool.ledger import HOST

_GIB = 2**30
_NONE: Mapping[str, float] = MappingProxyType({})
_CPU_SHARE = 0.5
_HOST_SHARE = 0.25
# A synthesis needs memory besides the weights: activations, caches, cuDNN's workspaces.
_GPU_WORK_SHARE, _GPU_WORK_LEAST = 0.1, 1 * _GIB
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def automatic_budgets(
    cpu_gb: float = 0.0, gpu_gb: float = 0.0, single_gpus_gb: Mapping[str, float] = _NONE
) -> Mapping[str, int]:
    """Bytes for models by device, from the user's settings (GB; 0 means automatic).

    `gpu_gb` holds for every GPU that `single_gpus_gb` does not name. Automatic is half of the
    memory for models on the CPU, a quarter more for the copies that GPU models leave there, and all
    of a GPU but a working reserve.
    """
    total = total_memory_bytes()
    accelerators = _accelerators(total)
    cpu = int(cpu_gb * _GIB) or int(total * _CPU_SHARE)
    # A copy in the very memory that Apple's GPU uses would make no room.
    copies = 0 if "mps" in accelerators else min(cpu, int(total * _HOST_SHARE))
    budgets = {"cpu": cpu, HOST: copies}
    for device, size in accelerators.items():
        reserve = max(int(size * _GPU_WORK_SHARE), _GPU_WORK_LEAST)
        wanted_gb = single_gpus_gb.get(device, gpu_gb)
        budgets[device] = int(wanted_gb * _GIB) or max(size - reserve, 0)
    return budgets


def total_memory_bytes() -> int:
    """The machine's memory, or what a container may use of it."""
    import psutil

    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such limit; "max" is none either
        return total


def memory_in_use(device: str) -> int:
    """Bytes that this process holds on a device ("cpu", "cuda:0", "mps")."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.memory_allocated(device))
    if device == "mps":
        import torch

        return int(torch.mps.current_allocated_memory())
    import psutil

    return int(psutil.Process().memory_info().rss)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a load or a computation failed for want of memory.

    By name and message, since torch has its own class for it, ctranslate2 and MPS raise
    RuntimeErrors, and none of them need be installed.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in said or "can't allocate memory" in said
    )


def _accelerators(total: int) -> dict[str, int]:
    """Total bytes by device; Apple's GPU shares the machine's memory."""
    import torch

    if torch.backends.mps.is_available():
        return {"mps": total // 2}
    return {
        f"cuda:{index}": int(torch.cuda.get_device_properties(index).total_memory)
        for index in range(torch.cuda.device_count())
    }
