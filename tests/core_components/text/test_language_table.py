"""docs/languages.md shows the figures that are kept, and every language of every engine."""

from __future__ import annotations

import json
from pathlib import Path

from bench.language_table import (
    KOKORO_FILE,
    PAGE,
    SPOKEN,
    TINY_FILE,
    languages_of,
    with_table,
)
from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.settings import app_folder

CATALOG = app_folder() / "configs" / "models.toml"


def test_the_page_has_the_table_of_what_is_kept() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page


def test_every_language_of_the_catalog_was_spoken(tmp_path: Path) -> None:
    catalog = Catalog.load(CATALOG, tmp_path)
    said = json.loads(TINY_FILE.read_text(encoding="utf-8"))
    for column, models in languages_of(catalog).items():
        assert said[column].keys() == models.keys()
        assert set(said[column].values()) == {SPOKEN}
    measured = json.loads(KOKORO_FILE.read_text(encoding="utf-8"))
    assert measured.keys() == set(catalog.entry("kokoro-v1.0").languages)
    assert all(one["phonemes_in"] == one["phonemes_spoken"] for one in measured.values())
