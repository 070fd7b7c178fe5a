"""XTTS on a tiny random model: the real loading and speaking code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines.context import EngineContext
from modules.core_components.ai_models.engines.xtts.engine import XttsEngine, create
from modules.core_components.ai_models.engines.xtts.options import XttsOptions
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray
from tests.tiny_xtts import SPEAKERS, install_tiny_xtts

TEXT = "Hello there, this is a test."


@pytest.fixture(scope="module")
def installed(tiny_xtts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    install_tiny_xtts(tiny_xtts, models)
    return models


@pytest.fixture(scope="module")
def context(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    catalog = Catalog.load(installed / "models.toml", installed)
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
    )
    pool.close()


@pytest.fixture(scope="module")
def engine(context: EngineContext) -> XttsEngine:
    return create(context.catalog.entry("xtts-v2.0.3"), context)


def spoken(engine: XttsEngine, text: str = TEXT, **options: Any) -> FloatArray:
    pieces = engine.stream(text, SPEAKERS[0], XttsOptions(**options), CancelToken())
    return np.concatenate([piece.samples for piece in pieces])


def coqui_says(folder: Path, text: str, seed: int, **options: Any) -> FloatArray:
    """What coqui's own loader and its streaming (in one piece) make of it."""
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    config = XttsConfig()
    config.load_json(str(folder / "config.json"))
    model = Xtts(config)
    model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
    speaker = model.speaker_manager.speakers[SPEAKERS[0]]
    torch.manual_seed(seed)
    chunks = model.inference_stream(
        text, "en", speaker["gpt_cond_latent"], speaker["speaker_embedding"],
        stream_chunk_size=0, repetition_penalty=5.0, **options,
    )  # fmt: skip
    return np.concatenate([chunk.numpy() for chunk in chunks])


def test_it_says_what_coqui_says(engine: XttsEngine, tiny_xtts: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(tiny_xtts, tmp_path / "copy")  # coqui rewrites it
    for speed in (1.0, 1.3):
        theirs = coqui_says(copy, TEXT, seed=4, speed=speed)
        ours = spoken(engine, seed=4, speed=speed)
        print(len(theirs), len(ours), np.abs(theirs[200 : len(ours) - 200] - ours[200:-200]).max())
