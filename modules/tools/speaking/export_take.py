"""Takes leave the studio: as the format a user asks for, where he wants them."""

from __future__ import annotations

import shutil
from pathlib import Path

from modules.core_components.atomic import atomic_path
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.errors import BadInputError
from modules.core_components.values import Take
from modules.tools.services import Services

EXPORT_FORMATS = ("wav", "flac", "mp3")


def copy_take(take: Take, target: Path) -> Path:
    """Writes a take to `target`: unchanged if the format is the take's own, else converted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() != take.path.suffix.lower():
        write_speech(target, read_speech(take.path))
        return target
    with atomic_path(target) as partial:
        shutil.copyfile(take.path, partial)
    return target


def export_take(services: Services, take_id: str, fmt: str) -> Path:
    """The take as a file of that format, made once and kept in the cache."""
    if fmt not in EXPORT_FORMATS:
        raise BadInputError(
            f"Unknown audio format {fmt!r}.", f"Choose {', '.join(EXPORT_FORMATS)}."
        )
    take = services.takes.get(take_id)
    if take.path.suffix == f".{fmt}":
        return take.path
    target = services.exports_folder / f"{take.path.stem}.{fmt}"
    return target if target.exists() else copy_take(take, target)
