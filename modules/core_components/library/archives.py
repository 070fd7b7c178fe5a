"""Unpacking archives that strangers made.

No name in the archive becomes a path: files are written under numbers, and the names only say
which is which.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from modules.core_components.atomic import full_disk_reported
from modules.core_components.errors import BadInputError

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_BYTES = 50 * 10**9
MOST_FILES = 200_000
_BLOCK_BYTES = 1 << 20
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error),
    *(gzip.BadGzipFile, lzma.LZMAError, EOFError),
)


def is_archive(name: str) -> bool:
    """By its suffix."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def unpack(
    archive: Path,
    folder: Path,
    wanted: Callable[[str], bool],
    most_bytes: int = MOST_BYTES,
) -> Mapping[str, Path]:
    """Writes the wanted files to `folder`; returns where each lies, by its name in the archive.

    Links, devices and names that lead out of the archive are passed over. Raises BadInputError for
    what is no archive, is encrypted or damaged, or holds more than it may; DiskFullError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unpacked: dict[str, Path] = {}
    left = most_bytes
    with _damage_reported(archive), full_disk_reported(folder / archive.name):
        for number, (name, content) in enumerate(_members(archive)):
            if number >= MOST_FILES:
                raise BadInputError(f"{archive.name} holds more than {MOST_FILES:,} files.")
            if not _stays_inside(name) or not wanted(name):
                continue
            target = folder / f"{number:06d}{_plain_suffix(name)}"
            with content() as source, target.open("wb") as written:
                while block := source.read(_BLOCK_BYTES):
                    left -= len(block)
                    if left < 0:
                        raise BadInputError(
                            f"{archive.name} unpacks to more than {most_bytes / 1e9:g} GB.",
                            "Unpack it yourself and give the folder.",
                        )
                    written.write(block)
            unpacked[name] = target
    return unpacked


def _members(archive: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    """Name and opener of each regular file, in the archive's order."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                mode = info.external_attr >> 16
                if info.filename[-1:] not in ("", "/") and (
                    stat.S_ISREG(mode) or not stat.S_IFMT(mode)
                ):
                    yield info.filename, lambda info=info: packed.open(info)  # type: ignore[misc]
        return
    with tarfile.open(archive) as taped:
        for member in taped:
            if member.isreg():
                yield member.name, lambda member=member: _opened(taped, member)  # type: ignore[misc]


def _opened(taped: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = taped.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    return content


@contextmanager
def _damage_reported(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise BadInputError(
            f"{archive.name} is no archive that can be read ({error}).", "Pack or copy it again."
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # what zipfile says of passwords
        raise BadInputError(
            f"{archive.name} cannot be unpacked ({error}).",
            "Unpack it yourself and give the folder.",
        ) from error


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or path.is_absolute():
        return False
    return ".." not in path.parts and ":" not in path.parts[0]


def _plain_suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""
