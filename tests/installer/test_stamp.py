from __future__ import annotations

from pathlib import Path

import pytest

from installer.stamp import STAMP_NAME, Stamp, clear_stamp, read_stamp, sources_digest, write_stamp

STAMP = Stamp("abc", "cpu", dev=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "installer").mkdir()
    (tmp_path / "installer" / "steps.py").write_text("step = 1\n")
    (tmp_path / "smart_install.py").write_text("import installer\n")
    (tmp_path / "requirements.txt").write_text("rich\n")
    return tmp_path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_stamp(tmp_path, STAMP)
    assert read_stamp(tmp_path) == STAMP
    assert [path.name for path in tmp_path.iterdir()] == [STAMP_NAME]
    clear_stamp(tmp_path)
    clear_stamp(tmp_path)
    assert read_stamp(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": "abc"}', "null"])
def test_a_stamp_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / STAMP_NAME).write_text(text)
    assert read_stamp(tmp_path) is None


@pytest.mark.parametrize("name", ["requirements.txt", "smart_install.py", "installer/steps.py"])
def test_the_digest_changes_with_every_source(root: Path, name: str) -> None:
    before = sources_digest(root, [root / "requirements.txt"])
    assert sources_digest(root, [root / "requirements.txt"]) == before
    (root / name).write_text("another = 2\n")
    assert sources_digest(root, [root / "requirements.txt"]) != before


def test_the_digest_does_not_depend_on_line_endings(root: Path) -> None:
    before = sources_digest(root, [root / "requirements.txt"])
    (root / "requirements.txt").write_bytes(b"rich\r\n")
    assert sources_digest(root, [root / "requirements.txt"]) == before
