"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from modules.core_components import atomic
from modules.core_components.errors import DiskFullError


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def full_disk(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_gets_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "take.wav"
    with atomic.atomic_path(target) as partial:
        partial.write_bytes(b"whole")
        assert not target.exists()
        assert partial.parent == tmp_path
        assert partial.suffix == ".wav"
        assert partial.name.startswith(".")
    assert target.read_bytes() == b"whole"
    assert names_in(tmp_path) == {"take.wav"}


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "take.wav"
    target.write_bytes(b"old")

    def write_half() -> None:
        with atomic.atomic_path(target) as partial:
            partial.write_bytes(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == {"take.wav"}


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_a_full_disk_is_reported_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    target = tmp_path / "config.json"
    atomic.write_json(target, {"language": "en"})
    if where == "write":
        monkeypatch.setattr(Path, "write_bytes", full_disk)
    else:
        monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(DiskFullError, match=r"config\.json.*Free some space"):
        atomic.write_json(target, {"language": "de"})
    assert json.loads(target.read_text()) == {"language": "en"}
    assert names_in(tmp_path) == {"config.json"}


def test_other_errors_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic.write_bytes(tmp_path / "no such folder" / "file", b"x")


def test_json_keeps_every_text_even_half_an_emoji(tmp_path: Path) -> None:
    content = {"text": "Grüße, 你好 🎙 \ud83c"}
    atomic.write_json(tmp_path / "a.json", content)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == content


def test_leftovers_of_a_killed_process_go_but_not_a_file_in_the_making(tmp_path: Path) -> None:
    for name in (".partial-old.wav", ".partial-new.wav", "kept.wav"):
        (tmp_path / name).write_bytes(b"x")
    os.utime(tmp_path / ".partial-old.wav", (1, 1))
    os.utime(tmp_path / "kept.wav", (1, 1))
    atomic.remove_leftovers(tmp_path)
    assert names_in(tmp_path) == {".partial-new.wav", "kept.wav"}
