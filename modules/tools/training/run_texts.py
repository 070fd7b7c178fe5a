"""How the texts of a training go to its model: front end and vocabulary, as the run keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.xtts.checkpoint import VOCABULARY
from modules.core_components.errors import CorruptFileError
from modules.core_components.library.training_runs import TrainingRun
from modules.core_components.texts import _


def run_front_end(run: TrainingRun) -> Mapping[str, Any]:
    """The record of the run's front end; {} where coqui's own reads the texts.

    Raises CorruptFileError.
    """
    path = run.files.text_form
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CorruptFileError(
            _("{path} does not say how the texts are read ({error!r}).", path=path, error=error),
            _("Start the training anew."),
        ) from error


def run_vocabulary(run: TrainingRun, base_folder: Path) -> Path:
    """The run's own vocabulary, else that of its base."""
    own = run.files.vocabulary
    return own if own.is_file() else base_folder / VOCABULARY
