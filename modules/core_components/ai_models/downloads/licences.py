"""Which licences the user has accepted: asked once, before the download."""

from __future__ import annotations

import json
from pathlib import Path

from modules.core_components.ai_models.catalog_entries import Licence, ModelEntry
from modules.core_components.ai_models.model_manifest import write_json
from modules.core_components.errors import StudioError

ACCEPTED_NAME = ".accepted_licences.json"


class LicenceNotAcceptedError(StudioError):
    """The model's licence limits its use; somebody must accept that first."""

    def __init__(self, entry: ModelEntry) -> None:
        self.model_id = entry.id
        self.licence: Licence = entry.licence
        super().__init__(
            f"{entry.label} comes under the {entry.licence.name}: {entry.licence.note}",
            f"Read {entry.licence.url} and accept it to download the model.",
        )


class AcceptedLicences:
    """The names of the accepted licences, in a small file of the models folder."""

    def __init__(self, models_folder: Path) -> None:
        self._path = models_folder / ACCEPTED_NAME

    def covers(self, entry: ModelEntry) -> bool:
        return not entry.licence.consent_required or entry.licence.name in self._names()

    def accept(self, entry: ModelEntry) -> None:
        write_json(self._path, sorted({*self._names(), entry.licence.name}))

    def require(self, entry: ModelEntry) -> None:
        """Raises LicenceNotAcceptedError."""
        if not self.covers(entry):
            raise LicenceNotAcceptedError(entry)

    def _names(self) -> set[str]:
        try:
            names = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return set()  # an unreadable list is no consent
        return (
            {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
        )
