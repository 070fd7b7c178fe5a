"""Kokoro v0.19: a random checkpoint in the old layout, loaded, spoken with and swapped."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.kokoro.engine import (
    KokoroOptions,
    create,
)
from modules.core_components.ai_models.engines.kokoro.pipeline import SAMPLES_PER_FRAME
from modules.core_components.ai_models.engines.kokoro.symbols import (
    SPELLED_OUT,
    styletts2_vocabulary,
)
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    V0_19_WEIGHTS_FILE,
    KokoroV019Wrapper,
)
from modules.core_components.ai_models.kokoro_models import ModelManager
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import BadInputError, CorruptFileError, ModelMissingError
from modules.core_components.progress import CancelToken
from modules.core_components.settings import app_folder
from tests.helpers.tiny_kokoro import build_tiny_old_kokoro

ESTIMATE_MB = 500
PHONEMES = "ðə ʤˈAlɚ ʧˈOz."


@pytest.fixture(scope="module")
def old_kokoro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_old_kokoro(tmp_path_factory.mktemp("old") / "kokoro" / "v0_19")


@pytest.fixture(scope="module")
def old(old_kokoro: Path) -> KokoroV019Wrapper:
    return KokoroV019Wrapper(old_kokoro / CONFIG_FILE, old_kokoro / V0_19_WEIGHTS_FILE)


@pytest.fixture
def pool() -> Iterator[ModelPool]:
    """Room for one Kokoro as it is estimated, and a little more."""
    pool = ModelPool({"cpu": (ESTIMATE_MB + 20) * 1_000_000}, meter=lambda device: 0)
    yield pool
    pool.close()


@pytest.fixture
def manager(
    context: EngineContext, old_kokoro: Path, tiny_kokoro: Path, tmp_path: Path
) -> ModelManager:
    """Both versions over one pool."""
    folder = tmp_path / "models" / "kokoro"
    folder.mkdir(parents=True)
    (folder / "v0_19").symlink_to(old_kokoro)
    (folder / "v1_0").symlink_to(tiny_kokoro)
    catalog = Catalog.load(app_folder() / "configs" / "models.toml", folder.parent)

    class Engines:
        def get(self, model_id: str) -> TTSEngine:
            entry = dataclasses.replace(catalog.entry(model_id), memory_mb=ESTIMATE_MB)
            return create(entry, changed)

    def ensure(model_id: str) -> Path:
        return catalog.folder(catalog.entry(model_id))

    changed = dataclasses.replace(context, catalog=catalog, ensure_model=ensure)
    return ModelManager(Engines())


def engine_of(manager: ModelManager, version: str) -> TTSEngine:
    return asyncio.run(manager.get_model(version)).engine


def say(engine: TTSEngine, voice: str) -> np.ndarray:
    pieces = engine.stream("Hello there, world.", voice, KokoroOptions(), CancelToken())
    return np.concatenate([piece.samples for piece in pieces])


def test_an_old_checkpoint_speaks(old: KokoroV019Wrapper) -> None:
    style = torch.zeros(1, 256)
    utterance = old.synthesize(PHONEMES, style)
    assert utterance.durations_frames.shape == (len(PHONEMES) + 2,)
    assert len(utterance.samples) == utterance.durations_frames.sum() * SAMPLES_PER_FRAME
    assert np.abs(utterance.samples).max() > 0.001


def test_signs_of_two_sounds_are_written_out(old: KokoroV019Wrapper) -> None:
    """And last as long as the sounds that they stand for."""
    style = torch.zeros(1, 256)
    short = old.synthesize("ʤA", style)
    long = old.synthesize("dʒeɪ", style)
    assert np.array_equal(short.samples, long.samples)
    a, *four, z = long.durations_frames
    assert list(short.durations_frames) == [a, four[0] + four[1], four[2] + four[3], z]


def test_itsstyletts2_vocabulary_has_its_own_numbers() -> None:
    """v1.0 kept the numbers of the symbols that it kept; these are from its configuration."""
    of_v1 = {";": 1, "…": 10, "”": 15, " ": 16, "I": 25, "a": 43, "z": 68, "ɑ": 69, "ɹ": 123,
             "ʒ": 147, "ˈ": 156, "ː": 158, "↗": 172, "ᵻ": 177}  # fmt: skip
    known = styletts2_vocabulary()
    assert {symbol: known[symbol] for symbol in of_v1} == of_v1
    assert max(known.values()) < 178  # the configuration's n_token; 0 is the padding


def test_every_sound_of_english_can_be_read(old_kokoro: Path) -> None:
    read_phonemes = KokoroV019Wrapper.read_phonemes(old_kokoro / CONFIG_FILE)
    assert set(SPELLED_OUT) <= read_phonemes
    assert set("AIOQWYbdfhijklmnpstuvwzðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧˈˌθᵊᵻɾ.,!?") <= read_phonemes


def test_forward_speaks_here_too(old: KokoroV019Wrapper) -> None:
    async def gather() -> list[torch.Tensor]:
        return [piece async for piece in old.forward("Judge Joe chose.", "af", "a")]

    assert sum(map(len, asyncio.run(gather()))) > SAMPLES_PER_FRAME


def test_both_versions_are_handed_out_by_name(manager: ModelManager) -> None:
    assert engine_of(manager, "v1.0").model_id == "kokoro-v1.0"
    old = engine_of(manager, "v0.19")
    assert (old.model_id, old.can_clone, old.languages) == (
        "kokoro-v0.19",
        False,
        ("en-us", "en-gb"),
    )
    assert old.voices() == ("af", "bm_lewis")
    with pytest.raises(BadInputError, match=r"v2\.0"):
        engine_of(manager, "v2.0")


def test_with_room_for_one_they_take_turns(manager: ModelManager, pool: ModelPool) -> None:
    new, old = engine_of(manager, "v1.0"), engine_of(manager, "v0.19")
    first = say(new, "af_one")
    for engine, voice in ((old, "bm_lewis"), (new, "af_one"), (old, "af")):
        spoken = say(engine, voice)
        (resident,) = pool.snapshot()
        assert resident.key.startswith(engine.model_id)
        if engine is new:
            assert np.array_equal(spoken, first)


def test_missing_and_broken_files_are_named(old_kokoro: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="missing") as caught:
        KokoroV019Wrapper(old_kokoro / CONFIG_FILE, tmp_path / V0_19_WEIGHTS_FILE)
    assert V0_19_WEIGHTS_FILE in caught.value.details
    broken = shutil.copytree(old_kokoro, tmp_path / "broken") / V0_19_WEIGHTS_FILE
    torch.save({"bert": {}}, broken)
    with pytest.raises(CorruptFileError, match="damaged") as damaged:
        KokoroV019Wrapper(old_kokoro / CONFIG_FILE, broken)
    assert "kokoro-v0_19" in damaged.value.details
