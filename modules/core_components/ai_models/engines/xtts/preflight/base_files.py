"""Do the files of a base belong together? Read off their shapes: the numbers stay on the disk."""

from __future__ import annotations

from pathlib import Path

from modules.core_components.ai_models.engines.xtts.checkpoint import check_pair, read_weights
from modules.core_components.ai_models.engines.xtts.files import VOCABULARY, WEIGHTS
from modules.core_components.ai_models.engines.xtts.preflight.checks import OK, STOP, Check
from modules.core_components.errors import StudioError

NAME = "Base files"


def check_fit(folder: Path) -> Check:
    """Whether model.pth was made for vocab.json.

    With the vocabulary of another version the trainer dies of a shape that it cannot explain, or
    reads every text as another one.
    """
    weights = folder / WEIGHTS
    try:
        check_pair(read_weights(weights), weights, folder / VOCABULARY)
    except StudioError as error:
        return Check(NAME, STOP, error.message, error.hint)
    return Check(NAME, OK, "Weights and vocabulary are of one version.")
