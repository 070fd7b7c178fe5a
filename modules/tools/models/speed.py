"""How fast models speak on this machine: measured where they did, else estimated."""

from __future__ import annotations

import json
import logging
import platform
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.decoder_step import decoder_step_seconds
from modules.core_components.ai_models.model_utils import configure_threads
from modules.core_components.errors import DiskFullError, ModelBusyError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _
from modules.core_components.version import computing_environment
from modules.tools.models.benchmark import newest_benchmark
from modules.tools.services import Services

logger = logging.getLogger(__name__)

KEPT_NAME = "machine_speed.json"
# Takes that are looked at, the newest first: older ones may be of older versions.
_MOST_TAKES = 200
_TAKES_OF_A_MODEL = 9
# What tells machines apart in the environment that takes and benchmarks record.
_SAME_MACHINE = ("machine", "cpu_capability", "gpu")
_WAIT_S = 10.0


@dataclass(frozen=True)
class Speed:
    """`real_time_factor`: seconds of computing for a second of speech. Not `measured`: estimated
    from a small measurement of this machine."""

    real_time_factor: float
    measured: bool

    def in_words(self) -> str:
        """For people: how long a second of speech takes."""
        how = _("measured here") if self.measured else _("estimated")
        factor = self.real_time_factor
        digits = 2 if factor < 0.1 else 1 if factor < 10 else 0
        return _(
            "{factor:.{digits}f} s for a second of speech ({how})",
            digits=digits,
            factor=factor,
            how=how,
        )


class SpeedsHere:
    """The speeds of models on this machine, by what is known when this is made."""

    def __init__(self, services: Services, cancel: CancelToken | None = None) -> None:
        self._services = services
        self._cancel = cancel or CancelToken()
        self._measured = measured_factors(services)
        self._steps: dict[str, float | None] = {}

    def of(self, entry: ModelEntry, device: str) -> Speed | None:
        """The speed of a model on a device; None where nothing is known of it.

        The first estimate on a machine measures it, in half a second.
        """
        if entry.id in self._measured:
            return Speed(self._measured[entry.id], measured=True)
        if not entry.steps_a_second:
            return None
        if device not in self._steps:
            self._steps[device] = machine_step_s(self._services, device, self._cancel)
        step_s = self._steps[device]
        return None if step_s is None else Speed(entry.steps_a_second * step_s, measured=False)


def measured_factors(services: Services) -> Mapping[str, float]:
    """By model, the median real-time factor of its latest takes and of the last benchmark.

    Only what was made on a machine like this one counts: the data root may have been moved.
    """
    here = computing_environment()
    found: dict[str, list[float]] = defaultdict(list)
    benchmark = newest_benchmark(services)
    if benchmark is not None and _is_here(benchmark.environment, here):
        for figures in benchmark.figures:
            if figures.task == "text-to-speech" and figures.real_time_factor:
                found[figures.model_id].append(figures.real_time_factor)
    for take in services.takes.list(limit=_MOST_TAKES):
        factors, speaking_s = found[take.model_id], take.timings_s.get("speak", 0.0)
        if speaking_s and take.duration_s and _is_here(take.environment, here):
            factors += [speaking_s / take.duration_s] * (len(factors) < _TAKES_OF_A_MODEL)
    return {model_id: statistics.median(factors) for model_id, factors in found.items() if factors}


def machine_step_s(services: Services, device: str, cancel: CancelToken) -> float | None:
    """The seconds of a decoder step on a device of this machine; measured once and kept with the
    machine's name. None where the device is taken for long, by a training say."""
    path = services.settings.cache_folder / KEPT_NAME
    threads = configure_threads(services.settings.torch_threads)
    machine, place = _machine_name(threads), _device_name(device)
    kept = _read(path) if path.is_file() else {}
    steps_s = dict(kept.get("steps_s", {})) if kept.get("machine") == machine else {}
    if isinstance(steps_s.get(place), float):
        return float(steps_s[place])
    try:
        with services.tts.pool.run_slot(device, cancel, _("measuring this machine"), _WAIT_S):
            steps_s[place] = decoder_step_seconds(device)
    except ModelBusyError:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(path, {"machine": machine, "steps_s": steps_s})
    except (DiskFullError, OSError) as error:
        logger.warning("The measurement of this machine is not kept: %s", error)
    return float(steps_s[place])


def _is_here(environment: Mapping[str, str], here: Mapping[str, str]) -> bool:
    return all(environment.get(name) == here[name] for name in _SAME_MACHINE)


def _machine_name(threads: int) -> str:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.node()} ({platform.machine()}, {capability}, {threads} threads)"


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


def _read(path: Any) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read and is made again: %s", path, error)
        return {}
    return content if isinstance(content, dict) else {}
