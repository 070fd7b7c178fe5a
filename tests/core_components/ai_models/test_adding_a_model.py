"""docs/adding-a-model.md is true: its blocks are run here as they stand on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models import TTSManager, engines
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import BadInputError, ModelMissingError
from modules.core_components.progress import CancelToken
from modules.core_components.settings import Settings
from tests.helpers.errors import detailed

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
CATALOG = (ROOT / "configs" / "models.toml").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def write_checkpoint(folder: Path) -> None:
    """Tiny random weights on disk, as a download would leave them."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(7)
    network = torch.nn.Sequential(torch.nn.Embedding(256, 4), torch.nn.Linear(4, 800))
    folder.mkdir(parents=True)
    save_file(network.state_dict(), folder / "model.safetensors")


@pytest.fixture
def manager(
    settings: Settings, pool: ModelPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TTSManager:
    """A manager after somebody followed the page: one table in the catalog, one engine file."""
    catalog_file, engine_folder = tmp_path / "models.toml", tmp_path / "engines"
    catalog_file.write_text(CATALOG + "\n" + blocks("toml")[0], encoding="utf-8")
    engine_folder.mkdir()
    (engine_folder / "murmur.py").write_text(blocks("python")[0], encoding="utf-8")
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(engine_folder)])
    return TTSManager(settings, pool, catalog_file)


def spoken(engine: TTSEngine, text: str, **given: Any) -> np.ndarray[Any, Any]:
    options = parse_options(engine.options_type, given)
    pieces = engine.stream(text, "plain", options, CancelToken())
    return np.concatenate([piece.samples for piece in pieces])


def test_a_new_model_speaks_without_touching_the_managers(manager: TTSManager) -> None:
    assert "murmur-1" in manager.engine_ids()
    assert manager.availability("murmur-1").state == "not downloaded"
    engine = manager.get("murmur-1")
    assert isinstance(engine, TTSEngine)
    with pytest.raises(ModelMissingError, check=detailed(r"model\.safetensors")):
        spoken(engine, "too early")

    write_checkpoint(manager.catalog.models_folder / "murmur" / "1")
    assert manager.available("murmur-1")
    first = spoken(engine, "hello you", seed=3)
    assert first.shape == (800 * len("helloyou"),)
    assert first.std() > 0.01
    np.testing.assert_array_equal(first, spoken(engine, "hello you", seed=3))
    assert not np.array_equal(first, spoken(engine, "hello you", seed=4))


def test_its_weights_are_in_the_pool_like_all_others(manager: TTSManager, pool: ModelPool) -> None:
    write_checkpoint(manager.catalog.models_folder / "murmur" / "1")
    engine = manager.get("murmur-1")
    before = spoken(engine, "hello")
    (resident,) = pool.snapshot()
    assert resident.key.startswith("murmur-1@")
    assert resident.nbytes == 4 * (256 * 4 + 4 * 800 + 800)
    manager.unload_all()
    assert pool.snapshot() == ()
    np.testing.assert_array_equal(before, spoken(engine, "hello"))


def test_it_says_what_it_cannot_use(manager: TTSManager) -> None:
    engine = manager.get("murmur-1")
    with pytest.raises(BadInputError, match="voice plain"):
        spoken(engine, "  ")
    with pytest.raises(BadInputError, match="Breath is 3"):
        parse_options(engine.options_type, {"breath": 3})
