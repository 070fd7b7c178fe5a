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
    """Event files in `folder`. After going back, what was written for later steps is hidden."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(  # type: ignore[no-untyped-call]
            str(folder), purge_step=step + 1 if step else None
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self._writer.close()  # type: ignore[no-untyped-call]
