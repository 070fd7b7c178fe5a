"""The parameters of a fit and its optimizer, which can be saved and resumed.

The optimizer is torch's Adam. Random numbers are drawn anew from (seed, step, slot), so that the
tensors here are all there is to remember: a fit resumed from its file ends exactly like one that
was never interrupted. The mean of the parameters is kept as a plain sum, since it belongs in that
file too; `torch.optim.swa_utils.AveragedModel` wants a module around the parameters for the same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from modules.core_components.atomic import atomic_path

logger = logging.getLogger(__name__)

_BETAS = (0.9, 0.98)
_WARM_UP_STEPS = 5
_DECAY_FROM, _AVERAGE_FROM = 0.3, 0.7


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
