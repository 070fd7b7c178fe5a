"""Building a network whose weights are about to be read, without drawing random ones first."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_FILLERS = frozenset(
    {"normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_",
     "xavier_uniform_", "xavier_normal_"}
)  # fmt: skip
_DRAWERS = frozenset({"rand", "randn"})


class BlankLayers(TorchFunctionMode):
    """Within the block, layers of this thread keep whatever lies in their memory.

    440 million random numbers would take seconds, and drawing them would change what another
    thread is speaking just then: torch's generator is global.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _FILLERS:
            return args[0] if args else kwargs["tensor"]
        if name in _DRAWERS:
            return torch.empty(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))
