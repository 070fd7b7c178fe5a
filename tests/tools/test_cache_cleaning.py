"""What was not touched for long leaves the cache, and nothing else does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from modules.tools.services import DAY_S, Services, clean_cache, open_services


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return open_services(tmp_path)


def put(services: Services, name: str, age_days: float) -> Path:
    path = services.settings.cache_folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("words")
    touched = time.time() - age_days * DAY_S
    os.utime(path, (touched, touched))
    return path


def test_only_what_is_old_for_its_folder_goes(services: Services) -> None:
    kept = [
        put(services, "inbox/new.wav", 6),
        put(services, "listening/words.json", 80),
        put(services, "fits/voice.safetensors", 400),
    ]
    gone = [
        put(services, "inbox/old.wav", 8),
        put(services, "exports/voice.zip", 8),
        put(services, "listening/old.json", 91),
    ]
    assert clean_cache(services) == len(gone)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_a_cache_that_is_not_there_yet_is_clean(services: Services) -> None:
    assert clean_cache(services) == 0
