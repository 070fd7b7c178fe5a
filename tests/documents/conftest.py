"""A studio for the calls of the pages: its folders are empty, its managers its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components import ai_models


@pytest.fixture
def user_config(tmp_path: Path) -> dict[str, object]:
    """The settings that differ: a models folder of its own, the CPU."""
    return {"device": "cpu", "models_folder": str(tmp_path / "base_models"), "torch_threads": 1}


@pytest.fixture(autouse=True)
def no_managers() -> Iterator[None]:
    """The process has no managers before and after."""
    ai_models.reset_managers()
    yield
    ai_models.reset_managers()
