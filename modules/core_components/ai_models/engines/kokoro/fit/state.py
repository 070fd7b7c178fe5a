"""The optimizer of a fit as a value that can be saved: Adam, its schedule, its running average.

Random numbers are drawn anew from (seed, step, slot), so that the tensors here are all there is
to remember: a fit resumed from its file ends exactly like one that was never interrupted.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from modules.core_components.atomic import atomic_path

logger = logging.getLogger(__name__)


_BETA1, _BETA2, _EPSILON = 0.9, 0.98, 1e-8
_WARM_UP_STEPS = 5
_DECAY_FROM, _AVERAGE_FROM = 0.3, 0.7


@dataclass(eq=False)
class FitState:
    """`parameters` by name with Adam's moments (Kingma and Ba 2015) and the mean of the last
    third of the way (stochastic weight averaging, Izmailov et al. 2018)."""

    parameters: dict[str, Tensor]
    first: dict[str, Tensor]
    second: dict[str, Tensor]
    total: dict[str, Tensor]
    averaged: int = 0
    step: int = 0

    @classmethod
    def zeros(cls, shapes: dict[str, tuple[int, ...]]) -> FitState:
        def blank() -> dict[str, Tensor]:
            return {name: torch.zeros(shape) for name, shape in shapes.items()}

        return cls(blank(), blank(), blank(), blank())

    def advance(self, gradients: dict[str, Tensor], rates: dict[str, float], steps: int) -> None:
        """One step of Adam; `rates` are the peak learning rates, `steps` the planned number."""
        factor = schedule(self.step, steps)
        self.step += 1
        for name, gradient in gradients.items():
            m, v = self.first[name], self.second[name]
            m.mul_(_BETA1).add_(gradient, alpha=1 - _BETA1)
            v.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
            unbiased_m = m / (1 - _BETA1**self.step)
            unbiased_v = v / (1 - _BETA2**self.step)
            update = unbiased_m / (unbiased_v.sqrt() + _EPSILON)
            self.parameters[name].sub_(update, alpha=rates[name] * factor)
        if self.step > _AVERAGE_FROM * steps:
            self.averaged += 1
            for name, value in self.parameters.items():
                self.total[name].add_(value)

    def average(self) -> dict[str, Tensor]:
        """The mean of the parameters over the last third of the steps."""
        return {name: total / max(1, self.averaged) for name, total in self.total.items()}

    def save(self, path: Path, key: str) -> None:
        tensors = {
            f"{group}.{name}": tensor.contiguous()
            for group in ("parameters", "first", "second", "total")
            for name, tensor in getattr(self, group).items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = {"key": key, "step": str(self.step), "averaged": str(self.averaged)}
        with atomic_path(path) as partial:
            save_file(tensors, partial, metadata=numbers)

    @classmethod
    def load(cls, path: Path, key: str) -> FitState | None:
        """The state saved under `key`; None when there is none, or of another fit."""
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                numbers = file.metadata() or {}
                if numbers.get("key") != key:
                    return None
                groups: dict[str, dict[str, Tensor]] = {}
                for full in file.keys():  # noqa: SIM118 - not a dict
                    group, name = full.split(".", 1)
                    groups.setdefault(group, {})[name] = file.get_tensor(full).clone()
            return cls(**groups, averaged=int(numbers["averaged"]), step=int(numbers["step"]))
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            logger.warning("The checkpoint %s is unreadable (%s): starting anew.", path, error)
            return None


def schedule(step: int, steps: int) -> float:
    """Share of the peak learning rate: a short warm-up, a plateau, then half a cosine to 5 %."""
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    progress = step / max(1, steps)
    if progress <= _DECAY_FROM:
        return warm
    cosine = 0.5 * (1 + math.cos(math.pi * (progress - _DECAY_FROM) / (1 - _DECAY_FROM)))
    return max(0.05, warm * cosine)


# Every parameter of a voice fit. The prompt cache hashes them all.


@dataclass(frozen=True)
class FitOptions:
    """Weights are relative to the GE2E distance, whose weight is 1. The defaults are where
    docs/voice_fit_study.md stands; it says which of them rest on a single speaker."""

    seed: int = 0
    steps: int = 28
    sentences_per_step: int = 2
    sentences: int = 12  # how many of the training sentences to use
    learning_rate: float = 0.08  # in standard deviations of the stock voices
    layer_rate: float = 0.5  # learning rate of the layers' own styles, relative
    ear: float = 0.5  # the timbre ear's distance
    spectrum: float = 0.2  # long-term spectrum
    envelope: float = 0.2  # the spectral envelope, sound by sound (`fit_envelope`)
    pitch: float = 0.15  # mean and spread of log pitch
    pitch_share: float = 0.6  # how far of the way to the sample's pitch to aim
    rhythm: float = 0.3  # durations stay near the starting voice's
    content: float = 1.0  # what Whisper understands stays near the starting voice's
    guard_content: float = 2.0  # the same, when the guard chooses the strength
    pull: float = 0.04  # the shared style stays near the stock voices
    layer_pull: float = 0.06  # the layers' own styles stay near the shared one
    held_out: float = 0.15  # share of the sample kept for the final figure
    threads: int = 2  # sentences worked on at once; does not change the result
