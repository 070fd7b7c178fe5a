"""Recordings on their way in: kept by content, so that a job outlives the browser's copy."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from modules.core_components.atomic import atomic_path
from modules.core_components.errors import BadInputError
from modules.tools.services import Services


def keep_upload(services: Services, recording: Path) -> Path:
    """Copies a recording into the cache under the hash of its bytes; returns the copy."""
    if not recording.is_file():
        raise BadInputError("There is no recording.", "Drop in a file or record one.")
    folder = services.settings.cache_folder / "inbox"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with recording.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    suffix = recording.suffix.lower() if recording.suffix[1:].isalnum() else ""
    kept = folder / f"{digest.hexdigest()[:32]}{suffix}"
    if kept.exists():
        os.utime(kept)
    else:
        with atomic_path(kept) as partial:
            shutil.copyfile(recording, partial)
    return kept
