"""The catalog: which models there are, where each one lies, and whether it is here."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from modules.core_components.ai_models.catalog_entries import (
    HubSource,
    JoinedFile,
    Licence,
    ModelEntry,
    ModelFile,
    Package,
    RegistrySource,
    Source,
)
from modules.core_components.ai_models.catalog_parser import CatalogError, parse_catalog
from modules.core_components.ai_models.model_manifest import Manifest, read_manifest
from modules.core_components.errors import NotFoundError

__all__ = [
    "Catalog", "CatalogError", "HubSource", "JoinedFile", "Licence", "ModelEntry", "ModelFile",
    "Package", "RegistrySource", "Source", "starter_ids",
]  # fmt: skip


class Catalog:
    """The models of configs/models.toml over one models folder."""

    def __init__(self, entries: Sequence[ModelEntry], models_folder: Path) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self.models_folder = models_folder.resolve()

    @classmethod
    def load(cls, toml_path: Path, models_folder: Path) -> Catalog:
        """Raises CatalogError for a file that is not understood."""
        return cls(parse_catalog(toml_path), models_folder)

    def entry(self, model_id: str) -> ModelEntry:
        """Raises NotFoundError, which names the ids that look alike."""
        if model_id in self._entries:
            return self._entries[model_id]
        near = difflib.get_close_matches(model_id, self._entries, n=3, cutoff=0.4)
        raise NotFoundError(
            f"There is no model {model_id!r}.",
            f"Did you mean {' or '.join(near)}?" if near else "`models list` shows them all.",
        )

    def entries(self, task: str | None = None) -> tuple[ModelEntry, ...]:
        """All models, or those of one task, in the catalog's order."""
        return tuple(e for e in self._entries.values() if task is None or e.task == task)

    def folder(self, entry: ModelEntry) -> Path:
        return self.models_folder / entry.folder

    def state(self, entry: ModelEntry) -> str:
        """ "installed", "partial" (some files, or a download broken off) or "missing"."""
        folder = self.folder(entry)
        manifest = read_manifest(folder)
        if not self.missing_files(entry) and (manifest is None or manifest.complete):
            return "installed"
        some = any(_present(folder, item) for item in entry.files) or any(folder.rglob("*.part"))
        return "partial" if some else "missing"

    def missing_files(self, entry: ModelEntry) -> tuple[str, ...]:
        """The files (or patterns of files) that are not here.

        What must be here is what the manifest lists; without one (files put there by hand) the
        set of any one source is enough.
        """
        folder = self.folder(entry)
        manifest = read_manifest(folder)
        if manifest is not None and manifest.complete:
            return tuple(name for name in manifest.files if not _present(folder, ModelFile(name)))
        lacking = [
            tuple(item.name for item in entry.files_from(source) if not _present(folder, item))
            for source in entry.sources
        ]
        return () if () in lacking else lacking[0]

    def manifest(self, entry: ModelEntry) -> Manifest | None:
        return read_manifest(self.folder(entry))

    def revision(self, entry: ModelEntry) -> str:
        """Of the weights that are here; of the preferred source where none are."""
        manifest = self.manifest(entry)
        return manifest.revision if manifest is not None else entry.revision


def starter_ids(catalog: Catalog) -> tuple[str, ...]:
    """The models that every studio has from the start."""
    return tuple(entry.id for entry in catalog.entries() if entry.starter)


def _present(folder: Path, item: ModelFile) -> bool:
    if not item.is_pattern:
        return (folder / item.name).is_file()
    head, _, tail = item.name.rpartition("/")
    place = folder / head
    return place.is_dir() and any(
        fnmatchcase(found.name, tail) for found in place.iterdir() if found.is_file()
    )
