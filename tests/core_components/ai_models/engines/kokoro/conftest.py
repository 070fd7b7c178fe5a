"""A tiny random Kokoro on disk, for all tests of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_kokoro import build_tiny_kokoro


@pytest.fixture(scope="session")
def tiny_kokoro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like base_models/kokoro/v1_0; not to be changed."""
    return build_tiny_kokoro(tmp_path_factory.mktemp("tiny") / "kokoro" / "v1_0")
