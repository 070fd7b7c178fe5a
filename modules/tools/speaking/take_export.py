"""Several takes at once: as a zip of their files, or joined into one recording."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from modules.core_components.atomic import atomic_path
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.audio.joining import Part, join_parts
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import Take
from modules.tools.services import Services

# Between two takes that are joined.
PAUSE_S = 0.5


def zip_takes(services: Services, take_ids: Sequence[str]) -> Path:
    """A zip with the recording of each take as it is, and its JSON.

    Raises BadInputError without takes, NotFoundError, DiskFullError.
    """
    target = _target(services, "takes", "zip")
    takes = _chosen(services, take_ids)
    with atomic_path(target) as partial, zipfile.ZipFile(partial, "w") as archive:
        for take in takes:
            for path in (take.path, take.path.with_suffix(".json")):
                if path.is_file():
                    archive.write(path, path.name)
    return target


def join_takes(services: Services, take_ids: Sequence[str], fmt: str = "wav") -> Path:
    """The takes one after the other, half a second apart, in the order given; voices get equally
    loud (see `join_parts`). Raises as `zip_takes`."""
    takes = _chosen(services, take_ids)
    parts = [
        Part(read_speech(take.path), take.voice, before_s=PAUSE_S if number else 0.0)
        for number, take in enumerate(takes)
    ]
    target = _target(services, "joined takes", fmt)
    write_speech(target, join_parts(parts).speech)
    return target


def _chosen(services: Services, take_ids: Sequence[str]) -> list[Take]:
    if not take_ids:
        raise BadInputError(_("No takes are selected."), _("Tick the takes in the list first."))
    return [services.takes.get(take_id) for take_id in take_ids]


def _target(services: Services, name: str, suffix: str) -> Path:
    folder = services.exports_folder
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")
    return folder / f"{name} {stamp}.{suffix}"
