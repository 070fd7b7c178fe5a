"""Which devices a training takes, one for each of its processes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from modules.core_components.ai_models.engines.xtts.preflight.data import OK, WARN, Check
from modules.core_components.ai_models.engines.xtts.preflight.memory_presets import Gpu
from modules.core_components.ai_models.engines.xtts.training.plan import (
    AUTO,
    ONE_PER_GPU,
    TrainingPlan,
)
from modules.core_components.ai_models.model_utils import devices_here, get_device
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.tools.services import Services

PROCESSES = "processes"  # the option
_CHECK = mark("Processes")
_BF16_SINCE = 8  # NVIDIA's compute capability of Ampere


def training_device(services: Services, device: str) -> str:
    """The device that a plan's `device` means: "cpu", "cuda:1". Raises StudioError for one that is
    not on this machine; the error names those that are."""
    return services.tts.context.device if device in ("", AUTO) else get_device(device)


def training_devices(services: Services, plan: TrainingPlan, rows: int = 0) -> tuple[str, ...]:
    """The devices that a plan means, one for each of its processes: all GPUs where it leaves both
    to us, as many as have a batch of the `rows` to train on.

    Raises StudioError for a device that is not here, BadInputError for too few GPUs.
    """
    device, count = training_device(services, plan.device), plan.processes
    if not device.startswith("cuda"):
        if count > 1 and device != "cpu":
            raise BadInputError(
                _("{device} trains with one process.", device=device),
                _("Choose one, or the device cpu."),
                PROCESSES,
            )
        return (device,) * max(1, count)
    gpus = [name for name in devices_here() if name.startswith("cuda")]
    if plan.device not in ("", AUTO):
        if count > 1:
            raise BadInputError(
                _(
                    "Several processes do not fit on {device}: each needs a GPU of its own.",
                    device=device,
                ),
                _("Leave the device on auto, or train with one process."),
                PROCESSES,
            )
        return (device,)
    if count > len(gpus):
        raise BadInputError(
            _(
                "{count} processes need as many GPUs; this machine has {gpus}.",
                count=count,
                gpus=len(gpus),
            ),
            _("0 takes one process for each GPU."),
            PROCESSES,
        )
    if count == ONE_PER_GPU:
        is_free_to_choose = services.settings.device in ("", AUTO, "cuda")
        fitting = max(1, rows // plan.batch_size) if rows else len(gpus)
        count = min(len(gpus), fitting) if is_free_to_choose else 1
    return tuple(gpus[:count]) if count > 1 else (device,)


def gpu_of(devices: Iterable[str]) -> Gpu:
    """CUDA devices, by the least of them: other models leave all their memory before a training
    begins."""
    import torch

    found = [torch.cuda.get_device_properties(device) for device in dict.fromkeys(devices)]
    has_8bit = importlib.util.find_spec("bitsandbytes") is not None
    return Gpu(
        min(int(about.total_memory) for about in found),
        all(about.major >= _BF16_SINCE for about in found),
        has_8bit,
    )


def check_processes(plan: TrainingPlan, devices: tuple[str, ...]) -> Check:
    """How many processes train together, and where."""
    count, clips = len(devices), len(devices) * plan.batch_size * plan.accumulation
    words = _(
        "{count} processes train together; a step learns from {clips} clips.",
        count=count,
        clips=clips,
    )
    if devices[0] == "cpu":
        hint = _("They share the processor: that is hardly faster, and takes more memory.")
        return Check(_CHECK, WARN, words, hint)
    return Check(
        _CHECK, OK, _("{words} They take {devices}.", words=words, devices=", ".join(devices))
    )
