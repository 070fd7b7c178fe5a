"""Where everything lies that a training needs, as the studio tells its child process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.engines.base import parse_options
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.errors import CorruptFileError


@dataclass(frozen=True)
class TrainingSetup:
    """One start of a training. `language` is that of the texts (ISO 639-1, XTTS's own code),
    `device` torch's name of one; `threads` 0 takes what the machine has. The files are those of
    the base model: weights, configuration and vocabulary of one version, and the DVAE with its
    normalization, which turn audio into the codes that are learnt."""

    plan: TrainingPlan
    language: str
    device: str
    threads: int
    dataset_folder: Path
    weights: Path
    config: Path
    vocabulary: Path
    dvae: Path
    mel_norms: Path

    def write(self, path: Path) -> None:
        """Raises DiskFullError."""
        record: Mapping[str, Any] = {
            **{name: _plain(value) for name, value in vars(self).items()},
            "plan": asdict(self.plan),
        }
        atomic.write_json(path, record)

    @classmethod
    def read(cls, path: Path) -> TrainingSetup:
        """Raises CorruptFileError, BadInputError for a plan out of its ranges."""
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            plan = parse_options(TrainingPlan, record.pop("plan"))
            language, device, threads = (
                record.pop(key) for key in ("language", "device", "threads")
            )
            files = {name: Path(value) for name, value in record.items()}
            return cls(plan, language, device, threads, **files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFileError(
                f"{path} does not say what is to be trained ({error!r}).", "Resume the training."
            ) from error


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
