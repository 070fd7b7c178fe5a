"""Handles that look like the model, and the loader methods that return them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.core_components.ai_models import TTSManager
from modules.core_components.ai_models.loader_recipe import BorrowedModel
from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec
from modules.core_components.settings import Settings, change


class Talker:
    """A model with an attribute, a method and a stream."""

    sample_rate_hz = 24_000

    def __init__(self) -> None:
        self.freed = False

    def __call__(self, text: str) -> str:
        return self.say(text)

    def say(self, text: str) -> str:
        assert not self.freed
        return text.upper()

    def stream(self, text: str) -> Iterator[str]:
        for word in text.split():
            assert not self.freed
            yield word


@pytest.fixture
def talker(pool: ModelPool) -> BorrowedModel:
    def free(model: Talker) -> None:
        model.freed = True

    return BorrowedModel(pool, ModelSpec("talker", "cpu", 10, Talker, free))


def test_it_reads_like_the_model(talker: BorrowedModel) -> None:
    assert talker.sample_rate_hz == 24_000
    assert talker.say("hello") == talker("hello") == "HELLO"
    with pytest.raises(AttributeError):
        _ = talker.no_such_thing
    with talker.borrowed() as model:
        assert isinstance(model, Talker)


def test_it_never_dangles(talker: BorrowedModel, pool: ModelPool) -> None:
    say = talker.say
    pool.unload_all()
    assert pool.snapshot() == ()
    assert say("again") == "AGAIN"


def test_a_stream_keeps_the_model_until_it_ends(talker: BorrowedModel, pool: ModelPool) -> None:
    words = talker.stream("one two three")
    pool.unload_all()
    assert next(words) == "one"
    pool.unload_all()
    assert list(words) == ["two", "three"]
    assert pool.snapshot() == ()


class TinyModel(torch.nn.Linear):
    """A torch module that notes how it was asked for."""

    @classmethod
    def from_pretrained(cls, source: str, **arguments: Any) -> TinyModel:
        model = cls(10, 10)
        model.arguments = {"source": source, **arguments}
        return model


def test_a_loader_method_honours_offline_mode_and_is_measured(
    settings: Settings, pool: ModelPool
) -> None:
    manager = TTSManager(settings, pool)
    manager._check_and_unload_if_different("tiny")
    model, attention = manager._load_model_with_attention(TinyModel, "example/tiny")
    assert attention == "sdpa"
    assert model.arguments == {"source": "example/tiny", "attn_implementation": "sdpa"}
    assert [(r.key.partition("@")[0], r.nbytes) for r in pool.snapshot()] == [("tiny", 440)]

    manager.configure(change(settings, offline_mode=True))
    offline, _ = manager._load_model_with_attention(TinyModel, "example/other")
    assert offline.arguments["local_files_only"] is True


def test_a_loader_may_be_a_function_and_its_errors_show_at_once(
    settings: Settings, pool: ModelPool
) -> None:
    def load(source: str, attn_implementation: str) -> Talker:
        raise OSError("config.json is missing")

    manager = TTSManager(settings, pool)
    with pytest.raises(OSError, match=r"config\.json"):
        manager._load_model_with_attention(load, "somewhere")
    assert pool.snapshot() == ()


class DeclaringManager(TTSManager):
    """A manager of the first versions, which declared its models."""

    _tiny_model: BorrowedModel | None = None

    def get_tiny(self, folder: Path, loader: Any) -> BorrowedModel:
        self._check_and_unload_if_different(f"tiny_{folder.name}")
        if self._tiny_model is None:
            self._tiny_model, _ = self._load_model_with_attention(loader, folder)
        return self._tiny_model


def test_a_declared_model_has_the_size_of_its_folder_and_comes_back(
    settings: Settings, pool: ModelPool, tmp_path: Path
) -> None:
    loads: list[str] = []

    def load(source: str, attn_implementation: str) -> Talker:
        if attn_implementation == "sdpa":
            raise ValueError("it does not support scaled_dot_product_attention")
        loads.append(attn_implementation)
        return Talker()

    for size in ("small", "large"):
        (tmp_path / size).mkdir()
        (tmp_path / size / "weights.bin").write_bytes(bytes(1000 * len(size)))
    manager = DeclaringManager(settings, pool)
    model = manager.get_tiny(tmp_path / "small", load)
    assert manager.get_tiny(tmp_path / "large", load) is not model
    assert manager.get_tiny(tmp_path / "small", load) is model
    assert {(r.key.partition("@")[0], r.nbytes) for r in pool.snapshot()} == {
        ("tiny_small", 5000),
        ("tiny_large", 5000),
    }
    manager.unload_all()
    assert pool.snapshot() == ()
    assert model.say("again") == "AGAIN"
    assert loads == ["eager"] * 3
