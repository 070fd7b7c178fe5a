"""Stock voices and mixes: found by name, refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.engines.kokoro.voices import (
    PACK_SHAPE,
    VoiceFolder,
    pack_bytes,
    save_pack,
)
from modules.core_components.errors import BadInputError, CorruptFileError, ModelMissingError
from modules.core_components.library import VoiceLibrary
from modules.core_components.values import OwnVoice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, value in (("af_bella", 1.0), ("af_sky", 4.0), ("bm_george", 0.0)):
        torch.save(torch.full(PACK_SHAPE, value), tmp_path / f"{name}.pt")
    return tmp_path


def test_voices_are_listed_by_name(folder: Path) -> None:
    (folder / "README.md").write_text("not a voice")
    (folder / ".partial-0123.pt").write_bytes(b"half a voice")
    assert VoiceFolder(folder).names() == ("af_bella", "af_sky", "bm_george")


def test_a_pack_has_its_shape_and_cannot_be_changed(folder: Path) -> None:
    pack = VoiceFolder(folder).pack("af_sky")
    assert pack.shape == PACK_SHAPE
    assert pack.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        pack[0] = 0


def test_a_mix_is_the_weighted_mean(folder: Path) -> None:
    mixed = VoiceFolder(folder).pack("af_bella(2)+af_sky(1)")
    np.testing.assert_allclose(mixed, np.full(PACK_SHAPE, 2.0), rtol=1e-6)
    assert mixed.dtype == np.float32


def test_what_is_taken_away_moves_the_voice_the_other_way(folder: Path) -> None:
    mixed = VoiceFolder(folder).pack("af_sky - af_bella(0.5)")
    np.testing.assert_allclose(mixed, np.full(PACK_SHAPE, 7.0), rtol=1e-6)


def test_weights_are_relative_and_one_by_default(folder: Path) -> None:
    voices = VoiceFolder(folder)
    np.testing.assert_allclose(voices.pack("af_bella + af_sky"), 2.5, rtol=1e-6)
    np.testing.assert_allclose(voices.pack("af_bella(0.2)+af_sky(0.2)"), 2.5, rtol=1e-6)


def test_an_unknown_voice_names_the_ones_that_look_alike(folder: Path) -> None:
    with pytest.raises(BadInputError, match=r"'af_bela'.*af_bella"):
        VoiceFolder(folder).pack("af_bela")


@pytest.mark.parametrize(
    "name", ["../af_bella", "/etc/passwd", "af_bella.pt", "", "a b", "+", "😀"]
)
def test_what_is_no_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(BadInputError):
        VoiceFolder(folder).pack(name)


@pytest.mark.parametrize(
    "content",
    [torch.zeros(510, 256), torch.full(PACK_SHAPE, float("nan")), {"style": torch.zeros(3)}, b"x"],
    ids=["misshapen", "nan", "no tensor", "no file of torch"],
)
def test_a_voice_that_is_no_pack_is_named(folder: Path, content: object) -> None:
    if isinstance(content, bytes):
        (folder / "af_broken.pt").write_bytes(content)
    else:
        torch.save(content, folder / "af_broken.pt")
    with pytest.raises(CorruptFileError, match=r"af_broken\.pt"):
        VoiceFolder(folder).pack("af_broken")


def test_no_voices_means_the_model_is_not_here(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="Download the model") as caught:
        VoiceFolder(tmp_path).pack("af_bella")
    assert str(tmp_path) in caught.value.details


def test_the_cache_is_bounded_and_used(tmp_path: Path) -> None:
    names = [f"af_v{number:02d}" for number in range(20)]
    for name in names:
        torch.save(torch.zeros(PACK_SHAPE), tmp_path / f"{name}.pt")
    voices = VoiceFolder(tmp_path)
    packs = [voices.pack(name) for name in names]
    assert voices.pack(names[-1]) is packs[-1]
    assert voices.pack(names[0]) is not packs[0]
    assert len(voices._packs) < len(names)


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> VoiceLibrary:
    return VoiceLibrary(tmp_path_factory.mktemp("own"))


def keep(own: VoiceLibrary, name: str, value: float, model_id: str = "kokoro-v1.0") -> OwnVoice:
    return own.add(name, pack_bytes(np.full(PACK_SHAPE, value, np.float32)), model_id)


def test_own_voices_follow_the_stock_and_take_part_in_mixes(
    folder: Path, own: VoiceLibrary
) -> None:
    keep(own, "Aunt Zoë", 10.0)
    keep(own, "of another model", 0.0, "kokoro-v0.19")
    voices = VoiceFolder(folder, own, "kokoro-v1.0")
    assert voices.names() == ("af_bella", "af_sky", "bm_george", "Aunt_Zoë")
    np.testing.assert_allclose(voices.pack("Aunt_Zoë+af_sky"), 7.0)


def test_a_stock_voice_is_never_hidden_by_an_own_one(folder: Path, own: VoiceLibrary) -> None:
    keep(own, "af_bella", 10.0)
    voices = VoiceFolder(folder, own, "kokoro-v1.0")
    assert voices.names().count("af_bella") == 1
    np.testing.assert_allclose(voices.pack("af_bella"), 1.0)


def test_a_replaced_voice_is_read_again(folder: Path, own: VoiceLibrary) -> None:
    voices = VoiceFolder(folder, own, "kokoro-v1.0")
    path = keep(own, "mine", 1.5).path
    np.testing.assert_allclose(voices.pack("mine"), 1.5)
    save_pack(np.full(PACK_SHAPE, 2.5, np.float32), path)
    np.testing.assert_allclose(voices.pack("mine"), 2.5)
    path.write_bytes(b"no voice any more")
    with pytest.raises(CorruptFileError, match="Delete it on the Voice Presets tab"):
        voices.pack("mine")
