"""Settings and a pool of their own for tests of models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty studio on the CPU; its folders do not exist yet."""
    overrides = {
        "device": "cpu",
        "models_folder": str(tmp_path / "base_models"),
        "torch_threads": 1,
    }
    return load_settings(tmp_path, overrides)


@pytest.fixture
def pool() -> Iterator[ModelPool]:
    """A pool with room for one GiB on the CPU."""
    pool = ModelPool({"cpu": 2**30}, meter=lambda device: 0)
    yield pool
    pool.close()
