"""docs/adding-a-model.md is true: its blocks are run here as they stand on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models import TTSManager, engines
from modules.core_components.ai_models.base_manager import BorrowedModel
from modules.core_components.ai_models.engines.base import TTSEngine, parse_options
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import BadInputError, ModelMissingError
from modules.core_components.progress import CancelToken
from modules.core_components.settings import Settings

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
    with pytest.raises(ModelMissingError, match=r"model\.safetensors"):
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


class NewTTSModelClass:
    """A model as transformers would give it: refuses one attention, loads with the next."""

    loads = 0

    @classmethod
    def from_pretrained(
        cls, source: str, attn_implementation: str, low_cpu_mem_usage: bool
    ) -> NewTTSModelClass:
        if attn_implementation == "sdpa":
            raise ValueError("NewTTS does not support scaled_dot_product_attention")
        cls.loads += 1
        model = cls()
        model.source, model.attention = Path(source), attn_implementation  # type: ignore[attr-defined]
        return model

    def generate(self, text: str) -> str:
        return f"{text} by {self.source.name}"  # type: ignore[attr-defined]


def test_the_loader_method_of_earlier_versions_works(
    settings: Settings, pool: ModelPool, tmp_path: Path
) -> None:
    (tmp_path / "NewTTS").mkdir()
    (tmp_path / "NewTTS" / "weights.bin").write_bytes(bytes(1000))
    namespace: dict[str, Any] = {
        "NewTTSModelClass": NewTTSModelClass,
        "model_path": tmp_path / "NewTTS",
    }
    exec(blocks("python")[1], namespace)  # noqa: S102 - the page's own example

    class Manager(TTSManager):
        _new_tts_model: BorrowedModel | None = None
        get_new_tts_model = namespace["get_new_tts_model"]

    manager = Manager(settings, pool)
    model = manager.get_new_tts_model()
    assert model.generate("hello") == "hello by NewTTS"
    assert model.attention == "eager"
    assert manager.get_new_tts_model() is model
    (resident,) = pool.snapshot()
    assert (resident.key.partition("@")[0], resident.nbytes) == ("new_tts_default", 1000)

    manager.unload_all()
    assert pool.snapshot() == ()
    assert model.generate("again") == "again by NewTTS"  # it came back by itself
    assert NewTTSModelClass.loads == 2
