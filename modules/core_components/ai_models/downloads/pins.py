"""What the first download of a model found, for the things the catalog could not foresee.

Kept beside the model folders, so that deleting a model and fetching it again compares against the
first time: the commit behind a branch or tag, and the hashes of files without a known one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.catalog_entries import ModelFile, Source
from modules.core_components.ai_models.model_manifest import Manifest, write_json

PINS_NAME = ".pins.json"


class Pins:
    """The pins of one model, in the models folder."""

    def __init__(self, models_folder: Path, model_id: str) -> None:
        self._path = models_folder / PINS_NAME
        self._model_id = model_id

    def revision(self, source: Source) -> str | None:
        value = self._of(source).get("revision")
        return value if isinstance(value, str) else None

    def expected(self, source: Source, file: ModelFile) -> ModelFile:
        """`file` with the hash that was recorded, where the catalog has none."""
        known = self._of(source).get("files", {}).get(file.name)
        if file.sha256 is not None or known is None:
            return file
        return ModelFile(file.name, file.bytes, known)

    def record(self, source: Source, manifest: Manifest, derived: frozenset[str]) -> None:
        """Adds a finished download; `derived` files may differ from machine to machine."""
        everything = self._read()
        everything.setdefault(self._model_id, {})[source.id] = {
            "revision": manifest.revision,
            "files": {
                name: record.sha256
                for name, record in manifest.files.items()
                if name not in derived
            },
        }
        write_json(self._path, everything)

    def _of(self, source: Source) -> dict[str, Any]:
        found = self._read().get(self._model_id, {}).get(source.id, {})
        return found if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return content if isinstance(content, dict) else {}
