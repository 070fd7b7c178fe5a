"""The tiny XTTS passes for a real one: with the catalog's checks and with coqui's own classes."""

from __future__ import annotations

from pathlib import Path

from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.settings import load_settings
from tests.helpers.tiny_xtts import SPEAKING_FILES, TRAINING_FILES, install_tiny_xtts


def test_the_studio_takes_it_for_the_real_one(tiny_xtts: Path, tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"models_folder": str(tmp_path / "models")})
    manager = TTSManager(
        settings, catalog_file=install_tiny_xtts(tiny_xtts, settings.models_folder)
    )
    for model_id, names in (
        ("xtts-v2.0.3", SPEAKING_FILES),
        ("xtts-v2-training", TRAINING_FILES),
    ):
        folder = manager.downloader.verify(model_id)
        assert set(names) <= {path.name for path in folder.iterdir()}
        manifest = manager.catalog.manifest(manager.catalog.entry(model_id))
        assert manifest is not None
        assert set(manifest.files) == set(names)
