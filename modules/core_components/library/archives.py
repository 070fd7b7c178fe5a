"""Reading zip and tar archives from untrusted sources."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from modules.core_components.atomic import atomic_path, full_disk_reported
from modules.core_components.errors import BadInputError, DiskFullError
from modules.core_components.progress import CancelToken, Progress, scaled
from modules.core_components.texts import _

Opener = Callable[[], IO[bytes]]

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_BYTES = 50 * 10**9
MOST_FILES = 200_000
_BLOCK_BYTES = 1 << 20
DAMAGE = (
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
    called: str = "",
    cancel: CancelToken | None = None,
) -> Mapping[str, Path]:
    """Writes the wanted files to `folder` under numbers; returns where each is, by archive name.

    Messages call the archive `called`, or else by its file name.

    Links, devices and names that lead out of the archive are passed over. Raises BadInputError for
    what is no archive, is encrypted or damaged, or holds more than it may; DiskFullError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unpacked: dict[str, Path] = {}
    left, shown = most_bytes, called or archive.name
    with (
        _damage_reported(shown),
        full_disk_reported(folder / archive.name),
        open_archive(archive) as members,
    ):
        for number, (name, content) in enumerate(members):
            if number >= MOST_FILES:
                raise BadInputError(
                    _(
                        "{shown} holds more than {most_files:,} files.",
                        shown=shown,
                        most_files=MOST_FILES,
                    )
                )
            if not _stays_inside(name) or not wanted(name):
                continue
            target = folder / f"{number:06d}{_plain_suffix(name)}"
            with content() as source, target.open("wb") as written:
                while block := source.read(_BLOCK_BYTES):
                    if cancel is not None:
                        cancel.raise_if_cancelled()
                    left -= len(block)
                    if left < 0:
                        raise BadInputError(
                            _(
                                "{shown} unpacks to more than {most_bytes:g} GB.",
                                shown=shown,
                                most_bytes=most_bytes / 1000000000.0,
                            ),
                            _("Unpack it yourself and give the folder."),
                        )
                    written.write(block)
            unpacked[name] = target
    return unpacked


@contextmanager
def open_archive(archive: Path) -> Iterator[Iterable[tuple[str, Opener]]]:
    """Name and opener of each regular file of a zip or tar, in its order; links are left out.

    Raises what zipfile and tarfile raise, see `DAMAGE`.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            yield [
                (info.filename, partial(packed.open, info))
                for info in packed.infolist()
                if not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
            ]
    else:
        with tarfile.open(archive) as taped:
            yield (
                (member.name, partial(_opened, taped, member)) for member in taped if member.isreg()
            )


def _opened(taped: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = taped.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    return content


@contextmanager
def _damage_reported(name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise BadInputError(
            _(
                "{name} is no archive that can be read: it is damaged or of another kind.",
                name=name,
            ),
            _("Pack or copy it again."),
            details=str(error),
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # what zipfile says of passwords
        raise BadInputError(
            _(
                "{name} cannot be unpacked: it is encrypted, or packed in an unusual way.",
                name=name,
            ),
            _("Unpack it yourself and give the folder."),
            details=str(error),
        ) from error


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or path.is_absolute():
        return False
    return ".." not in path.parts and ":" not in path.parts[0]


def _plain_suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""


# Zip files of models: only known file names, never outside the folder, within size limits.


_MOST_ENTRIES = 10_000
_BLOCK = 1 << 20
_ENCRYPTED = 0x1


def extract(
    archive: Path,
    target: Path,
    limits: Mapping[str, int],
    progress: Progress,
    cancel: CancelToken,
    called: str = "",
) -> tuple[str, ...]:
    """Writes the members whose file name fits a pattern of `limits` into `target`, flat.

    Messages call the archive `called`, or else by its file name.
    `limits` gives the most bytes each may have. All of them must lie in one folder of the archive.
    Returns the names of the members that were left out. Raises BadInputError for what is no zip,
    is damaged or encrypted, has a name that climbs out, a link, a file twice or one too large;
    DiskFullError before anything is written; JobCancelled.
    """
    shown = called or archive.name
    try:
        with zipfile.ZipFile(archive) as opened:
            members, left_out = _chosen(opened, shown, limits)
            _check_room(target, sum(member.file_size for member in members))
            total, done = sum(member.file_size for member in members) or 1, 0
            for member in members:
                part = scaled(progress, done / total, (done + member.file_size) / total)
                _write(opened, member, target, limits, part, cancel)
                done += member.file_size
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OverflowError) as error:
        raise BadInputError(
            _("{shown} is no zip file, or is damaged.", shown=shown),
            _("Copy it again."),
            details=str(error),
        ) from error
    return left_out


def _write(
    opened: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    target: Path,
    limits: Mapping[str, int],
    progress: Progress,
    cancel: CancelToken,
) -> None:
    """One member; what it says of its own size is not believed."""
    name = PurePosixPath(member.filename).name
    most, size = min(member.file_size, _limit(name, limits)), 0
    with (
        opened.open(member) as source,
        atomic_path(target / name) as partial,
        partial.open("wb") as file,
    ):
        while block := source.read(_BLOCK):
            cancel.raise_if_cancelled()
            size += len(block)
            if size > most:
                raise BadInputError(
                    _("{name} is larger than the archive says, and was refused.", name=name)
                )
            file.write(block)
            progress(size / max(member.file_size, 1), _("Unpacking {name}", name=name))


def _chosen(
    opened: zipfile.ZipFile, archive: str, limits: Mapping[str, int]
) -> tuple[list[zipfile.ZipInfo], tuple[str, ...]]:
    entries = [entry for entry in opened.infolist() if not entry.is_dir()]
    if len(entries) > _MOST_ENTRIES:
        raise BadInputError(
            _(
                "{archive} holds {count:,} files; that is no model.",
                archive=archive,
                count=len(entries),
            )
        )
    for entry in entries:
        _refuse_unsafe(entry, archive)
    known = [e for e in entries if _limit(PurePosixPath(e.filename).name, limits)]
    # The outermost folder that holds one of them; copies further in belong to something else.
    depth = min((len(PurePosixPath(e.filename).parts) for e in known), default=0)
    chosen = [e for e in known if len(PurePosixPath(e.filename).parts) == depth]
    _check_chosen(chosen, archive, limits)
    names = {entry.filename for entry in chosen}
    return chosen, tuple(entry.filename for entry in entries if entry.filename not in names)


def _refuse_unsafe(entry: zipfile.ZipInfo, archive: str) -> None:
    name = entry.filename
    parts = name.split("/")
    climbs = name.startswith("/") or "\\" in name or ":" in name or "\0" in name
    if climbs or any(part in ("", ".", "..") for part in parts):
        raise BadInputError(
            _(
                "{archive} holds the unsafe name {name!r} and was refused.",
                archive=archive,
                name=name,
            )
        )
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BadInputError(
            _(
                "{archive} holds a link or a device ({name!r}) and was refused.",
                archive=archive,
                name=name,
            )
        )
    if entry.flag_bits & _ENCRYPTED:
        raise BadInputError(
            _("{archive} is encrypted.", archive=archive), _("Save it without a password.")
        )


def _check_chosen(
    chosen: Sequence[zipfile.ZipInfo], archive: str, limits: Mapping[str, int]
) -> None:
    names = [PurePosixPath(entry.filename).name for entry in chosen]
    if len({PurePosixPath(entry.filename).parent for entry in chosen}) > 1:
        raise BadInputError(
            _("{archive} holds more than one model.", archive=archive), _("Make a zip of one.")
        )
    if len({name.casefold() for name in names}) != len(names):
        raise BadInputError(_("{archive} holds a file twice and was refused.", archive=archive))
    for name, entry in zip(names, chosen, strict=True):
        if entry.file_size > _limit(name, limits):
            raise BadInputError(
                _(
                    "{name} in {archive} would take {file_size:,.0f} MB and was refused.",
                    name=name,
                    archive=archive,
                    file_size=entry.file_size / 1000000.0,
                )
            )


def _limit(name: str, limits: Mapping[str, int]) -> int:
    return next((most for pattern, most in limits.items() if fnmatchcase(name, pattern)), 0)


def _check_room(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target).free
    if needed > free:
        raise DiskFullError(
            _(
                "Unpacking needs {needed:.1f} GB, and {free:.1f} GB are free.",
                needed=needed / 1000000000.0,
                free=free / 1000000000.0,
            ),
            _("Free some space where {target} lies.", target=target),
        )
