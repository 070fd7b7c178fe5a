"""A dataset for other programs: LJSpeech's layout as a folder or a zip file."""

from __future__ import annotations

import secrets
import shutil
import zipfile
from pathlib import Path

from modules.core_components.atomic import atomic_path, full_disk_reported
from modules.core_components.dataset.values import Dataset, metadata_text
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _
from modules.tools.services import Services

METADATA = "metadata.csv"


def export_ljspeech(
    services: Services,
    name: str,
    target: Path,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Writes `metadata.csv` (`id|text|text`) and `wavs/`, whole or not at all; returns `target`.

    A target that ends in .zip becomes one file, another a folder, which must not be there yet.
    Clips that were left out are not exported. Raises NotFoundError, BadInputError for a dataset
    without rows and for a folder that exists, DiskFullError, JobCancelled.
    """
    dataset = services.datasets.get(name)
    if not dataset.rows:
        raise BadInputError(
            _("The dataset {name!r} has no rows yet.", name=dataset.name), _("Add recordings.")
        )
    token = cancel or CancelToken()
    if target.suffix.lower() == ".zip":
        with atomic_path(target) as partial:
            _write_zip(dataset, partial, progress, token)
        return target
    if target.exists():
        raise BadInputError(
            _("{target} exists already.", target=target), _("Give the name of a new folder.")
        )
    draft = target.parent / f".partial-{secrets.token_hex(8)}"
    try:
        with full_disk_reported(target):
            _write_folder(dataset, draft, progress, token)
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _write_zip(dataset: Dataset, file: Path, progress: Progress, cancel: CancelToken) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr(METADATA, _rows(dataset))
        for index, clip in enumerate(dataset.rows):
            cancel.raise_if_cancelled()
            progress(index / len(dataset.rows), _("Packing the clips"))
            packed.write(dataset.wav_of(clip), f"wavs/{clip.id}.wav")


def _write_folder(dataset: Dataset, folder: Path, progress: Progress, cancel: CancelToken) -> None:
    (folder / "wavs").mkdir(parents=True)
    (folder / METADATA).write_text(_rows(dataset), encoding="utf-8")
    for index, clip in enumerate(dataset.rows):
        cancel.raise_if_cancelled()
        progress(index / len(dataset.rows), _("Copying the clips"))
        shutil.copyfile(dataset.wav_of(clip), folder / "wavs" / f"{clip.id}.wav")


def _rows(dataset: Dataset) -> str:
    texts = ((clip.id, metadata_text(clip.text)) for clip in dataset.rows)
    return "".join(f"{clip_id}|{text}|{text}\n" for clip_id, text in texts)
