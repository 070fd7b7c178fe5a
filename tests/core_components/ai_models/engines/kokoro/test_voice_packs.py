"""Voices as files: written whole, read safely."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from modules.core_components.ai_models.engines.kokoro.voices import (
    PACK_SHAPE,
    load_pack,
    pack_bytes,
    pack_sha256,
    save_pack,
)
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray


@pytest.fixture
def pack() -> FloatArray:
    return np.random.default_rng(3).normal(size=PACK_SHAPE).astype(np.float32)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".bin", ".PT"])
def test_a_pack_comes_back_as_it_was(tmp_path: Path, pack: FloatArray, suffix: str) -> None:
    path = save_pack(pack, tmp_path / f"mine{suffix}")
    assert np.array_equal(load_pack(path), pack)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_the_pt_file_is_what_the_package_kokoro_loads(tmp_path: Path, pack: FloatArray) -> None:
    import torch

    tensor = torch.load(save_pack(pack, tmp_path / "mine.pt"), weights_only=True)
    assert isinstance(tensor, torch.FloatTensor)
    assert tuple(tensor.shape) == PACK_SHAPE


@pytest.mark.parametrize("suffix", [".npy", ".pkl", ""])
def test_other_kinds_of_file_are_refused(tmp_path: Path, pack: FloatArray, suffix: str) -> None:
    with pytest.raises(BadInputError, match=r"\.pt, \.safetensors, \.bin"):
        save_pack(pack, tmp_path / f"mine{suffix}")
    with pytest.raises(BadInputError, match=r"\.pt, \.safetensors, \.bin"):
        load_pack(tmp_path / f"mine{suffix}")


def test_a_wrong_pack_is_not_written(tmp_path: Path, pack: FloatArray) -> None:
    with pytest.raises(BadInputError, match="510 x 1 x 256"):
        save_pack(pack[:5], tmp_path / "mine.pt")
    assert not list(tmp_path.iterdir())


class Danger:
    """Unpickling it would make a file."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._target,)  # type: ignore[return-value]


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Danger(made)))
    with pytest.raises(BadInputError, match=r"evil\.pt"):
        load_pack(tmp_path / "evil.pt")
    assert not made.exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".bin"])
@pytest.mark.parametrize("content", [b"", b"not a voice", b"\x00" * 4096])
def test_garbage_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"garbage{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="garbage"):
        load_pack(path)


def test_a_file_of_several_tensors_is_not_one_voice(tmp_path: Path, pack: FloatArray) -> None:
    save_file({"one": pack, "two": pack}, tmp_path / "two.safetensors")
    with pytest.raises(BadInputError, match="one voice"):
        load_pack(tmp_path / "two.safetensors")


def test_bare_numbers_are_read_in_their_order(tmp_path: Path, pack: FloatArray) -> None:
    path = tmp_path / "bare.bin"
    path.write_bytes(pack.astype("<f4").tobytes())
    assert np.array_equal(load_pack(path), pack)
    path.write_bytes(pack.astype("<f4").tobytes()[:-4])
    with pytest.raises(BadInputError, match=r"522,236 bytes.*522,240"):
        load_pack(path)


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "finite"), (np.inf, "finite"), (1e30, "beyond")]
)
@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
def test_numbers_that_are_none_are_told(
    tmp_path: Path, pack: FloatArray, suffix: str, value: float, words: str
) -> None:
    pack[100, 0, 3] = value
    path = tmp_path / f"odd{suffix}"
    if suffix == ".bin":
        path.write_bytes(pack.tobytes())
    else:
        save_file({"style": pack}, path)
    with pytest.raises(BadInputError, match=words):
        load_pack(path)


def test_half_precision_is_widened(tmp_path: Path, pack: FloatArray) -> None:
    save_file({"any name": pack.astype(np.float16)}, tmp_path / "half.safetensors")
    loaded = load_pack(tmp_path / "half.safetensors")
    assert loaded.dtype == np.float32
    np.testing.assert_allclose(loaded, pack, atol=2e-3)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.pt").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(BadInputError, match="too large"):
        load_pack(tmp_path / "large.pt")


def test_the_hash_is_that_of_the_numbers(tmp_path: Path, pack: FloatArray) -> None:
    (tmp_path / "mine.safetensors").write_bytes(pack_bytes(pack))
    again = load_pack(tmp_path / "mine.safetensors")
    assert pack_sha256(again) == pack_sha256(pack)
    again[0, 0, 0] += 1e-3
    assert pack_sha256(again) != pack_sha256(pack)
