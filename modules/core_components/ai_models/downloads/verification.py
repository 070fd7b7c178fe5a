"""Is what lies here still what was downloaded? Asked before every first load."""

from __future__ import annotations

import logging
from pathlib import Path

from modules.core_components.ai_models.catalog_entries import ModelEntry, ModelFile, matches
from modules.core_components.ai_models.downloads.arrival import inside
from modules.core_components.ai_models.downloads.disk import megabytes
from modules.core_components.ai_models.downloads.part_file import sha256_of
from modules.core_components.ai_models.model_manifest import (
    FileRecord,
    Manifest,
    read_manifest,
    write_manifest,
)
from modules.core_components.errors import CorruptFileError
from modules.core_components.progress import CancelToken, Progress

logger = logging.getLogger(__name__)

FOUND_HERE = "found"


def verify_folder(
    entry: ModelEntry, folder: Path, full: bool, progress: Progress, cancel: CancelToken
) -> None:
    """Raises CorruptFileError, which names the file and what to do.

    A file whose size and time are those of its last check is taken as it is, so that every
    content is read once; `full` reads them all again. Files without a manifest (put there by
    hand) are checked against the catalog and get one.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        manifest = Manifest(FOUND_HERE, entry.revision, {}, complete=True)
        names = tuple(name for item in entry.files for name in _here(folder, item))
    else:
        names = tuple(manifest.files)
    records: dict[str, FileRecord] = {}
    for number, name in enumerate(names):
        progress(number / len(names), f"Checking {name}")
        known = manifest.files.get(name)
        path = inside(folder, name)
        if known is not None and known.fits(path) and not full:
            records[name] = known
        else:
            records[name] = _checked(entry, path, name, known, cancel)
    progress(1.0, "Checked")
    if records != dict(manifest.files):
        write_manifest(
            folder, Manifest(manifest.source, manifest.revision, records, manifest.complete)
        )


def _checked(
    entry: ModelEntry, path: Path, name: str, known: FileRecord | None, cancel: CancelToken
) -> FileRecord:
    try:
        found = path.stat()
        digest = sha256_of(path, cancel)
    except OSError as error:
        raise _corrupt(entry, path, f"cannot be read ({error})") from error
    if known is not None:
        if digest != known.sha256:
            was, now = megabytes(known.bytes), megabytes(found.st_size)
            raise _corrupt(entry, path, f"has changed since it was downloaded ({was}, now {now})")
    elif digest not in (accepted := _accepted(entry, name)) and accepted:
        raise _corrupt(entry, path, f"is not a file the catalog knows (SHA-256 {digest})")
    return FileRecord(found.st_size, digest, found.st_mtime_ns)


def _accepted(entry: ModelEntry, name: str) -> set[str]:
    """The hashes any source foresees for the file; empty where one source leaves it open."""
    hashes: set[str] = set()
    for source in entry.sources:
        for item in entry.files_from(source):
            if matches(name, (item.name,)):
                if item.sha256 is None:
                    return set()
                hashes.add(item.sha256)
    return hashes


def _here(folder: Path, item: ModelFile) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob(item.name))


def _corrupt(entry: ModelEntry, path: Path, what: str) -> CorruptFileError:
    return CorruptFileError(
        f"{path} of {entry.label} {what}.",
        f"Delete the model and download it again (`models delete {entry.id}`, then "
        f"`models download {entry.id}`), or put the right file there.",
    )
