"""A tiny random XTTS in a models folder and a studio around it, for all tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.xtts.engine import XttsEngine, create
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from tests.helpers.tiny_xtts import install_tiny_xtts

MODEL_ID = "xtts-v2.0.3"


@pytest.fixture(autouse=True)
def nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks on the console fails: nobody sits there."""

    def asked(prompt: object = "") -> str:
        raise AssertionError(f"something asked on the console: {prompt}")

    monkeypatch.setattr("builtins.input", asked)
    monkeypatch.delenv("COQUI_TOS_AGREED", raising=False)


@pytest.fixture(scope="session")
def xtts_models(tiny_xtts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the tiny XTTS and a catalog for it; not to be changed."""
    models = tmp_path_factory.mktemp("models")
    install_tiny_xtts(tiny_xtts, models)
    return models


@pytest.fixture(scope="session")
def xtts_context(
    xtts_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineContext]:
    catalog = Catalog.load(xtts_models / "models.toml", xtts_models)
    pool = ModelPool({"cpu": 2**32}, meter=lambda device: 0)
    yield EngineContext(
        pool=pool,
        catalog=catalog,
        device_preference="cpu",
        attention_preference="auto",
        threads=1,
        cache_folder=tmp_path_factory.mktemp("cache"),
        ensure_model=lambda model_id: catalog.folder(catalog.entry(model_id)),
        engine=lambda model_id: pytest.fail(f"nobody should ask for {model_id}"),
        prompts=VoicePromptStore(tmp_path_factory.mktemp("prompts")),
    )
    pool.close()


@pytest.fixture(scope="session")
def engine(xtts_context: EngineContext) -> XttsEngine:
    """The handle on the tiny model; it stays loaded."""
    return create(xtts_context.catalog.entry(MODEL_ID), xtts_context)
