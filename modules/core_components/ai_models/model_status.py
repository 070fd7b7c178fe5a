"""What of a model lies on this disk."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.catalog_entries import ModelEntry


@dataclass(frozen=True)
class ModelStatus:
    """`state` is "installed", "partial" or "missing"; `bytes_on_disk` counts parts as well."""

    entry: ModelEntry
    state: str
    bytes_on_disk: int
    missing: tuple[str, ...]
    source: str
    revision: str


def model_status(catalog: Catalog, entry: ModelEntry) -> ModelStatus:
    folder = catalog.folder(entry)
    manifest = catalog.manifest(entry)
    return ModelStatus(
        entry=entry,
        state=catalog.state(entry),
        bytes_on_disk=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        missing=catalog.missing_files(entry),
        source=manifest.source if manifest else "",
        revision=catalog.revision(entry),
    )
