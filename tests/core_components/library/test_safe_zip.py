"""Zips that mean well, and those that do not."""

from __future__ import annotations

import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.core_components.errors import BadInputError, DiskFullError, JobCancelled
from modules.core_components.library import archives
from modules.core_components.progress import CancelToken, no_progress

LIMITS = {"config.json": 100, "model.pth": 1_000, "reference*.wav": 100}


def unpack(archive: Path, cancel: CancelToken | None = None) -> tuple[dict[str, bytes], list[str]]:
    target = archive.parent / "out"
    target.mkdir(exist_ok=True)
    left_out = archives.extract(archive, target, LIMITS, no_progress, cancel or CancelToken())
    return {path.name: path.read_bytes() for path in target.iterdir()}, list(left_out)


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    def make(members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
        path = tmp_path / "model.zip"
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")  # of a name that is there twice
            for name, content in members:
                archive.writestr(name, content)
        return path

    return make


def test_only_what_is_known_is_taken(zipped: Callable[..., Path]) -> None:
    archive = zipped(
        [("ready/model.pth", b"m"), ("ready/reference_2.wav", b"w"), ("ready/run.sh", b"x"),
         ("ready/wavs/reference.wav", b"other")]
    )  # fmt: skip
    found, left_out = unpack(archive)
    assert found == {"model.pth": b"m", "reference_2.wav": b"w"}
    assert left_out == ["ready/run.sh", "ready/wavs/reference.wav"]


@pytest.mark.parametrize(
    "name",
    ["../model.pth", "/model.pth", "a/../model.pth", "..\\model.pth", "C:/model.pth", "a//b"],
)
def test_a_name_that_climbs_out_is_refused(zipped: Callable[..., Path], name: str) -> None:
    archive = zipped([("config.json", b"{}"), (name, b"evil")])
    with pytest.raises(BadInputError, match="unsafe name"):
        unpack(archive)
    assert {path.name for path in archive.parent.iterdir()} == {"model.zip", "out"}


def test_links_are_refused(zipped: Callable[..., Path]) -> None:
    link = zipfile.ZipInfo("model.pth")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(BadInputError, match="link"):
        unpack(zipped([(link, b"/etc/passwd")]))


def test_bombs_and_doubles_are_refused(zipped: Callable[..., Path]) -> None:
    with pytest.raises(BadInputError, match="would take"):
        unpack(zipped([("config.json", b" " * 101)]))
    with pytest.raises(BadInputError, match="twice"):
        unpack(zipped([("model.pth", b"1"), ("model.pth", b"2")]))
    with pytest.raises(BadInputError, match="more than one model"):
        unpack(zipped([("a/model.pth", b"1"), ("b/model.pth", b"2")]))


def test_a_member_that_lies_about_its_size_is_refused(zipped: Callable[..., Path]) -> None:
    archive = zipped([("config.json", b" " * 90)])
    content = archive.read_bytes()
    # The size before packing, in the central directory: 24 bytes behind its signature.
    place = content.index(b"PK\x01\x02") + 24
    archive.write_bytes(content[:place] + (5).to_bytes(4, "little") + content[place + 4 :])
    with pytest.raises(BadInputError):
        unpack(archive)
    assert not (archive.parent / "out" / "config.json").exists()


def test_what_is_no_zip_is_said(tmp_path: Path, zipped: Callable[..., Path]) -> None:
    (tmp_path / "text.zip").write_bytes(b"hello")
    with pytest.raises(BadInputError, match="no zip file"):
        unpack(tmp_path / "text.zip")
    archive = zipped([("model.pth", bytes(range(250)))])
    content = bytearray(archive.read_bytes())
    content[60] ^= 0xFF
    archive.write_bytes(bytes(content))
    with pytest.raises(BadInputError, match="damaged"):
        unpack(archive)


def test_a_full_disk_is_said_before_anything_is_written(
    zipped: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zipped([("model.pth", b"m" * 500)])
    full = type("Usage", (), {"free": 499})()
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: full)
    with pytest.raises(DiskFullError):
        unpack(archive)
    assert list((archive.parent / "out").iterdir()) == []


def test_cancelling_leaves_nothing(zipped: Callable[..., Path]) -> None:
    cancel = CancelToken()
    cancel.cancel()
    archive = zipped([("model.pth", b"m")])
    with pytest.raises(JobCancelled):
        unpack(archive, cancel)
    assert list((archive.parent / "out").iterdir()) == []
