"""Uploaded recordings as files."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import UploadFile

from modules.core_components.audio.decode import RAW_FORMATS
from modules.tools.services import Services


def store_upload(services: Services, file: UploadFile) -> tuple[TemporaryDirectory[str], Path]:
    """The upload as a file in a folder that its user removes.

    Of its name only the suffix of a raw format is kept, which the decoder needs.
    """
    folder = TemporaryDirectory(prefix="recording-", dir=services.settings.cache_folder)
    suffix = Path(file.filename or "").suffix.lower()
    path = Path(folder.name, f"recording{suffix if suffix in RAW_FORMATS else ''}")
    try:
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
    except BaseException:
        folder.cleanup()
        raise
    return folder, path
