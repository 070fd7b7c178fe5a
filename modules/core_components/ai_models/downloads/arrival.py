"""The folder a model arrives in, and the manifest that grows file by file.

A download that is broken off (even by kill -9) leaves whole, checked files and at most one
`.part`; the manifest says which of them belong to which source and revision, so that the next try
goes on and never mixes two sources.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from modules.core_components.ai_models.catalog_entries import ModelFile, Source
from modules.core_components.ai_models.downloads.part_file import sha256_of
from modules.core_components.ai_models.model_manifest import (
    FileRecord,
    Manifest,
    is_safe_name,
    read_manifest,
    write_manifest,
)
from modules.core_components.errors import CorruptFileError
from modules.core_components.progress import CancelToken


class Arrival:
    """Files of one source, at one revision, coming into `folder`."""

    def __init__(self, folder: Path, source: Source, revision: str) -> None:
        self.folder = folder
        self._manifest = Manifest(source.id, revision, {}, complete=False)
        earlier = read_manifest(folder)
        if earlier is not None and (earlier.source, earlier.revision) == (source.id, revision):
            self._manifest = replace(earlier, complete=False)

    def has(self, expected: ModelFile, cancel: CancelToken) -> bool:
        """Whether the file is here already: recorded and untouched, or its known content."""
        path = self.target(expected.name)
        record = self._manifest.files.get(expected.name)
        if record is not None and record.fits(path):
            return expected.sha256 in (None, record.sha256)
        if expected.sha256 is None or not path.is_file():
            return False
        found = path.stat()
        if expected.bytes not in (None, found.st_size):
            return False
        if sha256_of(path, cancel) != expected.sha256:
            return False
        self.add(expected.name, FileRecord(found.st_size, expected.sha256, found.st_mtime_ns))
        return True

    def target(self, name: str) -> Path:
        return inside(self.folder, name)

    def add(self, name: str, record: FileRecord) -> None:
        files = {**self._manifest.files, name: record}
        self._manifest = replace(self._manifest, files=files)
        write_manifest(self.folder, self._manifest)

    def complete(self, names: tuple[str, ...]) -> Manifest:
        """All of `names` are here; files recorded earlier that are not among them are forgotten."""
        files = {name: self._manifest.files[name] for name in names}
        self._manifest = replace(self._manifest, files=files, complete=True)
        write_manifest(self.folder, self._manifest)
        return self._manifest


def inside(folder: Path, name: str) -> Path:
    """`folder / name`. Raises CorruptFileError for a name that leads out of the folder."""
    if not is_safe_name(name):
        raise CorruptFileError(f"The unsafe file name {name!r} was refused.")
    return folder / name


def planned_revision(folder: Path, source: Source, pinned: str | None) -> str:
    """The revision to ask for: begun here before, else pinned by an earlier download, else the
    catalog's."""
    earlier = read_manifest(folder)
    if earlier is not None and earlier.source == source.id:
        return earlier.revision
    return pinned or source.revision
