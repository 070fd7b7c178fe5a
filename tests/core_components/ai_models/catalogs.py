"""Small catalogs for tests."""

from __future__ import annotations

from pathlib import Path

from modules.core_components.ai_models.catalog import (
    Catalog,
    HubSource,
    Licence,
    ModelEntry,
    ModelFile,
    RegistrySource,
    Source,
)
from tests.core_components.ai_models.fake_hub import REPOSITORY

OPEN = Licence("MIT", "https://example.org/mit", commercial=True, consent_required=False, note="")


def model(
    files: tuple[ModelFile, ...],
    sources: tuple[Source, ...] = (HubSource(REPOSITORY, "main"),),
    model_id: str = "tiny",
    licence: Licence = OPEN,
    folder: str = "family/tiny",
) -> ModelEntry:
    return ModelEntry(
        id=model_id,
        family="family",
        version="1",
        task="support",
        label="The tiny model",
        folder=folder,
        files=files,
        sources=sources,
        licence=licence,
        languages=(),
        sample_rate_hz=16_000,
        memory_mb=1,
        download_mb=0,
        abilities=(),
        starter=False,
        engine="",
        note="",
    )


def catalog(tmp_path: Path, *entries: ModelEntry) -> Catalog:
    return Catalog(entries, tmp_path / "base_models")


__all__ = ["OPEN", "RegistrySource", "catalog", "model"]
