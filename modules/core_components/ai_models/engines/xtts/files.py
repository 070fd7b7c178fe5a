"""The files of an XTTS model, and what is said when one of them cannot be used."""

from __future__ import annotations

from pathlib import Path

from modules.core_components.errors import CorruptFileError, ModelMissingError

CONFIG = "config.json"
WEIGHTS = "model.pth"
VOCABULARY = "vocab.json"
SPEAKERS = "speakers_xtts.pth"
REFERENCES = "reference*.wav"
NEEDED = (CONFIG, WEIGHTS, VOCABULARY)

_REMEDY = (
    "Put the right file there, or delete the model and download (or import) it again on the "
    "Models tab."
)


def missing(path: Path) -> ModelMissingError:
    """The error for a file that is not there."""
    return ModelMissingError(f"XTTS's file {path.name} is not in {path.parent}.", _REMEDY)


def corrupt(path: Path, reason: object) -> CorruptFileError:
    """The error for a file that does not hold what it must."""
    said = " ".join(str(reason).split())[:300].rstrip(".")
    return CorruptFileError(f"XTTS's file {path} cannot be used: {said}.", _REMEDY)


def check_here(folder: Path) -> None:
    """Raises ModelMissingError that names the first file without which nothing can be spoken."""
    for name in NEEDED:
        if not (folder / name).is_file():
            raise missing(folder / name)


def reference_clips(folder: Path) -> tuple[Path, ...]:
    """The recordings of the model's own speaker, in the order of their names."""
    return tuple(sorted(path for path in folder.glob(REFERENCES) if path.is_file()))
