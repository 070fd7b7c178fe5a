"""Archives from strangers: only their wanted files, only into the folder, only so much."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.library.archives import is_archive, unpack

EVIL = ("../up.wav", "/abs.wav", "a/../../b.wav", "C:\\c.wav", "..\\d.wav")


def everything(name: str) -> bool:
    return True


def zipped(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def taped(path: Path, content: dict[str, bytes]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_wanted_files_come_out_under_numbers(tmp_path: Path, name: str) -> None:
    make = zipped if name.endswith(".zip") else taped
    content = {"deep/é.wav": b"one", "notes.txt": b"two", **dict.fromkeys(EVIL, b"evil")}
    found = unpack(make(tmp_path / name, content), tmp_path / "out", lambda n: n.endswith(".wav"))
    assert is_archive(name.upper())
    assert {n: path.read_bytes() for n, path in found.items()} == {"deep/é.wav": b"one"}
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != name]
    assert written == [tmp_path / "out" / "000000.wav"]


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert unpack(tmp_path / "a.zip", tmp_path / "out", everything) == {}
    with tarfile.open(tmp_path / "a.tar", "w") as tape:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("x.wav")
            member.type, member.linkname = kind, "/etc/passwd"
            tape.addfile(member)
    assert unpack(tmp_path / "a.tar", tmp_path / "out", everything) == {}


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "a.zip", {"a.wav": bytes(10**6), "b.wav": bytes(10**6)})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(BadInputError, match="more than"):
        unpack(bomb, tmp_path / "out", everything, most_bytes=1_500_000)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz"])
def test_what_is_damaged_is_told(tmp_path: Path, name: str) -> None:
    make = zipped if name.endswith(".zip") else taped
    whole = make(tmp_path / name, {"a.wav": bytes(range(256)) * 400}).read_bytes()
    for broken in (b"", b"rubbish", whole[: len(whole) // 2]):
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(BadInputError, match=name):
            unpack(tmp_path / name, tmp_path / "out", everything)


def test_a_password_is_told(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "a.zip", {"a.wav": b"secret"}).read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1  # the flag of encryption, in both headers
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(BadInputError, match="unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "out", everything)
