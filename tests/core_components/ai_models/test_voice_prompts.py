"""Prepared voices on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.errors import BadInputError
from modules.core_components.values import Sample, VoicePrompt

SAMPLE = Sample("me", Path("me.wav"), audio_sha256="ab" * 32, duration_s=5.0)


def key(number: int) -> str:
    return VoicePromptStore.key(SAMPLE, "kokoro", "kokoro-v1.0", "r1", {"number": number})


def prompt(number: int) -> VoicePrompt:
    tensors = {
        "pack": np.arange(6, dtype=np.float32).reshape(2, 3),
        "codes": np.array([[1, 2]], dtype=np.int64),
    }
    info = {"similarity": 0.87, "from": "af_heart", "über": "größer"}
    return VoicePrompt(key(number), "kokoro", "kokoro-v1.0", "r1", tensors, info)


def test_a_prompt_comes_back_as_it_was(tmp_path: Path) -> None:
    VoicePromptStore(tmp_path / "prompts").put(prompt(1))
    found = VoicePromptStore(tmp_path / "prompts").get(key(1))
    assert found is not None
    assert (found.engine, found.model_id, found.model_revision) == ("kokoro", "kokoro-v1.0", "r1")
    assert found.info == prompt(1).info
    assert {name: array.dtype for name, array in found.tensors.items()} == {
        "pack": np.float32,
        "codes": np.int64,
    }
    np.testing.assert_array_equal(found.tensors["pack"], prompt(1).tensors["pack"])
    assert [path.suffix for path in (tmp_path / "prompts").iterdir()] == [".safetensors"]


def test_what_was_never_made_is_not_there(tmp_path: Path) -> None:
    assert VoicePromptStore(tmp_path / "prompts").get(key(1)) is None


@pytest.mark.parametrize("content", [b"", b"not a safetensors file", b"\xff" * 100])
def test_a_damaged_file_is_a_miss_and_made_anew(tmp_path: Path, content: bytes) -> None:
    VoicePromptStore(tmp_path).put(prompt(1))
    (tmp_path / f"{key(1)}.safetensors").write_bytes(content)
    store = VoicePromptStore(tmp_path)
    assert store.get(key(1)) is None
    store.put(prompt(1))
    assert VoicePromptStore(tmp_path).get(key(1)) is not None


def test_a_truncated_file_is_a_miss(tmp_path: Path) -> None:
    VoicePromptStore(tmp_path).put(prompt(1))
    path = tmp_path / f"{key(1)}.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    assert VoicePromptStore(tmp_path).get(key(1)) is None


def test_a_file_under_anothers_name_is_a_miss(tmp_path: Path) -> None:
    VoicePromptStore(tmp_path).put(prompt(1))
    (tmp_path / f"{key(1)}.safetensors").rename(tmp_path / f"{key(2)}.safetensors")
    assert VoicePromptStore(tmp_path).get(key(2)) is None


def test_only_the_most_recent_stay_in_memory(tmp_path: Path) -> None:
    store = VoicePromptStore(tmp_path, in_memory=2)
    for number in (1, 2, 1, 3):
        if store.get(key(number)) is None:
            store.put(prompt(number))
    for path in tmp_path.iterdir():
        path.unlink()
    assert [store.get(key(number)) is not None for number in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("typed", ["../../etc/passwd", "A" * 64, "", "ab/" + "c" * 61])
def test_a_key_that_is_none_reaches_no_file(tmp_path: Path, typed: str) -> None:
    with pytest.raises(BadInputError, match="not the key"):
        VoicePromptStore(tmp_path).get(typed)


def test_the_key_does_not_depend_on_the_order_of_parameters() -> None:
    def made(parameters: dict[str, int]) -> str:
        return VoicePromptStore.key(SAMPLE, "kokoro", "kokoro-v1.0", "r1", parameters)

    assert made({"a": 1, "b": 2}) == made({"b": 2, "a": 1}) != made({"a": 2, "b": 1})
