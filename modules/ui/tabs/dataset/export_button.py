"""A dataset as a file to take away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.core_components.errors import BadInputError
from modules.tools.dataset.export import export_ljspeech
from modules.tools.services import Services
from modules.ui.widgets.download_buttons import DownloadButtons

LJSPEECH = "LJSpeech zip"


def build_export(services: Services, dataset: Any) -> None:
    """Draws the button; `dataset` is the state with the chosen one's name."""

    def export(_fmt: str, name: str) -> Path:
        if not name:
            raise BadInputError("There is no dataset yet.", "Create one first.")
        folder = services.exports_folder
        folder.mkdir(parents=True, exist_ok=True)
        stem = services.datasets.get(name).folder.name
        return export_ljspeech(services, name, folder / f"{stem}.zip")

    DownloadButtons([LJSPEECH], "dataset-link").on_download(export, dataset)
