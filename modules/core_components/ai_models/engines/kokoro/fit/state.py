"""The parameters of a fit and its optimizer, which can be saved and resumed.

The optimizer is torch's Adam. Random numbers are drawn anew from (seed, step, slot), so that the
tensors here are all there is to remember: a fit resumed from its file ends exactly like one that
was never interrupted. The mean of the parameters is kept as a plain sum, since it belongs in that
file too; `torch.optim.swa_utils.AveragedModel` wants a module around the parameters for the same.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from modules.core_components.atomic import atomic_path

logger = logging.getLogger(__name__)

_BETAS = (0.9, 0.98)
_WARM_UP_STEPS = 5
_DECAY_FROM, _AVERAGE_FROM = 0.3, 0.7


@dataclass(frozen=True)
class FitOptions:
    """Every parameter of a fit. Weights are relative to the GE2E distance, whose weight is 1.

    Where the defaults come from is in docs/voice_fit_study.md.
    """

    seed: int = 0
    steps: int = 28
    sentences_per_step: int = 2
    sentences: int = 12  # how many of the training sentences to use
    learning_rate: float = 0.08  # in standard deviations of the stock voices
    layer_rate: float = 0.5  # learning rate of the layers' own styles, relative
    timbre: float = 0.5  # the timbre encoder's distance
    spectrum: float = 0.2  # long-term spectrum
    envelope: float = 0.2  # the spectral envelope, sound by sound (`envelope_distance`)
    pitch: float = 0.15  # mean and spread of log pitch
    pitch_share: float = 0.6  # how far of the way to the sample's pitch to aim
    rhythm: float = 0.3  # durations stay near the starting voice's
    content: float = 1.0  # what Whisper understands stays near the starting voice's
    guard_content: float = 2.0  # the same, when the guard chooses the strength
    pull: float = 0.04  # the shared style stays near the stock voices
    layer_pull: float = 0.06  # the layers' own styles stay near the shared one
    held_out: float = 0.15  # share of the sample kept for the final figure
    threads: int = 2  # sentences worked on at once; does not change the result

    def shaping(self) -> dict[str, Any]:
        """All that the result depends on, as plain values, for the keys of prompts and fits."""
        values = dataclasses.asdict(self)
        del values["threads"]
        values["ear"] = values.pop("timbre")  # its name in the keys made so far
        return values


class FitState:
    """`parameters` by name, the moments of Adam (Kingma and Ba 2015), and the mean over the last
    third of the steps (stochastic weight averaging, Izmailov et al. 2018)."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.parameters = {name: torch.zeros(shape) for name, shape in shapes.items()}
        self.step = 0
        self._total = {name: torch.zeros(shape) for name, shape in shapes.items()}
        self._averaged = 0
        groups = [{"params": [value], "name": name} for name, value in self.parameters.items()]
        self._adam = torch.optim.Adam(groups, betas=_BETAS, foreach=False)

    def advance(
        self, gradients: Mapping[str, Tensor], rates: Mapping[str, float], steps: int
    ) -> None:
        """One step of Adam; `rates` are the peak learning rates, `steps` the planned number."""
        factor = schedule(self.step, steps)
        for group in self._adam.param_groups:
            group["lr"] = rates[group["name"]] * factor
            self.parameters[group["name"]].grad = gradients[group["name"]]
        self._adam.step()
        self.step += 1
        if self.step > _AVERAGE_FROM * steps:
            self._averaged += 1
            for name, value in self.parameters.items():
                self._total[name].add_(value)

    def average(self) -> dict[str, Tensor]:
        """The mean of the parameters over the last third of the steps."""
        return {name: total / max(1, self._averaged) for name, total in self._total.items()}

    def save(self, path: Path, key: str) -> None:
        """Writes the state of the fit that is known by `key`."""
        tensors: dict[str, Tensor] = {}
        for name, value in self.parameters.items():
            moments = self._adam.state[value]
            tensors |= {f"parameters.{name}": value, f"total.{name}": self._total[name]}
            tensors |= {
                f"first.{name}": moments["exp_avg"],
                f"second.{name}": moments["exp_avg_sq"],
            }
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = {"key": key, "step": str(self.step), "averaged": str(self._averaged)}
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
                saved = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            names = [name.split(".", 1)[1] for name in saved if name.startswith("parameters.")]
            state = cls({name: saved[f"parameters.{name}"].shape for name in names})
            state.step, state._averaged = int(numbers["step"]), int(numbers["averaged"])
            for name, value in state.parameters.items():
                value.copy_(saved[f"parameters.{name}"])
                state._total[name] = saved[f"total.{name}"]
                state._adam.state[value] = {
                    "step": torch.tensor(float(state.step)),
                    "exp_avg": saved[f"first.{name}"],
                    "exp_avg_sq": saved[f"second.{name}"],
                }
            return state
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
