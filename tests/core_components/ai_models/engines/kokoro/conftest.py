"""A tiny random Kokoro on disk and a studio around it, for all tests of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.kokoro.engine import KokoroEngine, create
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.settings import app_folder
from tests.helpers.tiny_kokoro import build_tiny_kokoro


@pytest.fixture(scope="session")
def tiny_kokoro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like base_models/kokoro/v1_0; not to be changed."""
    return build_tiny_kokoro(tmp_path_factory.mktemp("tiny") / "kokoro" / "v1_0")


@pytest.fixture
def context(tiny_kokoro: Path, tmp_path: Path, pool: ModelPool) -> EngineContext:
    catalog = Catalog.load(app_folder() / "configs" / "models.toml", tiny_kokoro.parents[1])

    def other_engine(model_id: str) -> Any:
        raise AssertionError(f"nobody should ask for {model_id}")

    return EngineContext(
        pool=pool,
        catalog=catalog,
        device_preference="cpu",
        attention_preference="auto",
        threads=1,
        cache_folder=tmp_path / "cache",
        ensure_model=lambda model_id: catalog.folder(catalog.entry(model_id)),
        engine=other_engine,
        prompts=VoicePromptStore(tmp_path / "prompts"),
    )


@pytest.fixture
def engine(context: EngineContext) -> KokoroEngine:
    return create(context.catalog.entry("kokoro-v1.0"), context)
