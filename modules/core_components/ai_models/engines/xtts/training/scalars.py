"""The curves for TensorBoard, for those who know it: `tensorboard --logdir training`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

logger = logging.getLogger(__name__)


class Scalars(Protocol):
    """Takes the numbers of a step by their names."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...


class TensorBoardScalars:
    """Event files in `folder`, one a start. Steps that were taken again are drawn twice; the diary
    knows which of them count."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
