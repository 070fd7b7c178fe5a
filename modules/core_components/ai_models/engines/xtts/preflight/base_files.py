"""Do the files of a base belong together? Read off their shapes, without loading the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.xtts.preflight.checks import OK, STOP, Check
from modules.core_components.errors import CorruptFileError

NAME = "Base files"
_EMBEDDING = "gpt.text_embedding.weight"
_HINT = (
    "The files come from different versions of XTTS. Delete this base on the Models tab and "
    "download it again; never mix files of two versions."
)


def check_fit(folder: Path) -> Check:
    """Whether model.pth was made for vocab.json: its text embedding has a row for each token.

    A v2.0.2 vocabulary has 6153 tokens, that of v2.0.3 6681; with the wrong one the trainer dies
    of a shape it cannot explain, or reads every text as another one.
    """
    try:
        words, rows = vocabulary_size(folder / "vocab.json"), text_rows(folder / "model.pth")
    except CorruptFileError as error:
        return Check(NAME, STOP, error.message, error.hint)
    if words != rows:
        return Check(
            NAME, STOP, f"vocab.json has {words} tokens, but model.pth was made for {rows}.", _HINT
        )
    return Check(NAME, OK, f"Weights and vocabulary belong together ({words} tokens).")


def vocabulary_size(vocab_file: Path) -> int:
    """Rows that the vocabulary asks for: the largest id and one. Raises CorruptFileError."""
    try:
        content: Any = json.loads(vocab_file.read_text(encoding="utf-8"))
        added = [int(token["id"]) for token in content.get("added_tokens", ())]
        return max([*map(int, content["model"]["vocab"].values()), *added]) + 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            f"{vocab_file.name} cannot be read ({error}).", "Download the base model again."
        ) from error


def text_rows(model_file: Path) -> int:
    """Rows of the text embedding in a model.pth. Raises CorruptFileError.

    The numbers stay on the disk: only the pickled outline is read, and nothing in it is run.
    """
    import torch
    from TTS.tts.models.xtts import _legacy_safe_globals

    try:
        with _legacy_safe_globals():
            content = torch.load(model_file, map_location="cpu", weights_only=True, mmap=True)
        weights = content["model"]
        name = _EMBEDDING if _EMBEDDING in weights else f"xtts.{_EMBEDDING}"
        return int(weights[name].shape[0])
    except Exception as error:  # torch raises whatever the file makes it raise
        raise CorruptFileError(
            f"{model_file.name} is no XTTS checkpoint ({type(error).__name__}).",
            "Download the base model again.",
        ) from error
