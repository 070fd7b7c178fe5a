"""Prepared voices on disk."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
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


def test_a_changed_number_is_a_miss(tmp_path: Path) -> None:
    VoicePromptStore(tmp_path).put(prompt(1))
    path = tmp_path / f"{key(1)}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert VoicePromptStore(tmp_path).get(key(1)) is None


def used_at(folder: Path, number: int, second: int) -> None:
    os.utime(folder / f"{key(number)}.safetensors", (second, second))


def test_the_disk_keeps_what_was_used_last(tmp_path: Path) -> None:
    first = VoicePromptStore(tmp_path)
    for number in (1, 2, 3):
        first.put(prompt(number))
        used_at(tmp_path, number, number)
    size = (tmp_path / f"{key(1)}.safetensors").stat().st_size
    store = VoicePromptStore(tmp_path, disk_bytes=3 * size)
    assert store.get(key(1)) is not None  # from the disk, which makes it the newest
    store.put(prompt(4))
    left = [number for number in (1, 2, 3, 4) if VoicePromptStore(tmp_path).get(key(number))]
    assert left == [1, 3, 4]
    for number in left:
        used_at(tmp_path, number, number)
    assert store.get(key(1)) is not None  # from memory: that is a use, too
    store.put(prompt(5))
    assert {path.stem for path in tmp_path.iterdir()} == {key(number) for number in (1, 4, 5)}


def test_one_that_is_larger_than_the_limit_is_kept_alone(tmp_path: Path) -> None:
    store = VoicePromptStore(tmp_path, disk_bytes=1, memory_bytes=1)
    store.put(prompt(1))
    store.put(prompt(2))
    assert store.get(key(1)) is None
    assert store.get(key(2)) is not None


def test_what_there_is_by_model_and_revision_and_clearing_it(tmp_path: Path) -> None:
    store = VoicePromptStore(tmp_path)
    for number, model_id, revision in (
        (1, "a", "r1"),
        (2, "a", "r2"),
        (3, "a", "r2"),
        (4, "b", ""),
    ):
        store.put(dataclasses.replace(prompt(number), model_id=model_id, model_revision=revision))
    (tmp_path / f"{key(5)}.safetensors").write_bytes(b"nothing of the kind")
    (tmp_path / "notes.safetensors").write_bytes(b"somebody else's file")
    found = {(item.model_id, item.model_revision): item for item in store.usage()}
    assert {name: item.count for name, item in found.items()} == {
        ("", ""): 1, ("a", "r1"): 1, ("a", "r2"): 2, ("b", ""): 1,
    }  # fmt: skip
    assert found["", ""].nbytes == 19
    freed = store.clear("a")
    assert freed == found["a", "r1"].nbytes + found["a", "r2"].nbytes
    assert [store.get(key(number)) is not None for number in (1, 2, 3, 4)] == [False] * 3 + [True]
    assert store.clear() == found["b", ""].nbytes + 19
    assert store.usage() == ()
    assert store.get(key(4)) is None  # nor in memory
    assert [path.name for path in tmp_path.iterdir()] == ["notes.safetensors"]


def test_only_the_most_recent_stay_in_memory(tmp_path: Path) -> None:
    nbytes = sum(array.nbytes for array in prompt(1).tensors.values())
    store = VoicePromptStore(tmp_path, memory_bytes=2 * nbytes)
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


def test_another_process_finds_what_this_one_kept(tmp_path: Path) -> None:
    VoicePromptStore(tmp_path).put(prompt(1))
    script = (
        "import sys; from pathlib import Path; "
        "from tests.core_components.ai_models.test_voice_prompts import VoicePromptStore, key; "
        "found = VoicePromptStore(Path(sys.argv[1])).get(key(1)); "
        "print(found.info['similarity'], found.tensors['pack'].sum())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert told.stdout.split() == ["0.87", "15.0"]
