"""Files that are written as a whole or not at all.

Everything is written to a temporary name in the target's own folder and renamed when it is
complete and on the disk, so that neither a crash nor a full disk leaves half a file behind.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modules.core_components.errors import DiskFullError, NotWritableError, StudioError
from modules.core_components.texts import _, mark

logger = logging.getLogger(__name__)

_PARTIAL_MARK = ".partial-"
_NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
# Why a folder cannot be written to, by the system's number.
_NO_RIGHT = mark("you have no right to write there")
_REFUSALS = {
    errno.EROFS: mark("its disk is read-only"),
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.ENOTDIR: mark("a part of its path is a file"),
    errno.EEXIST: mark("it is a file"),
    errno.ENAMETOOLONG: mark("a name in its path is too long"),
}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}
_PROBE_BYTES = 4096


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A path to write to; it becomes `target` when the block ends without an exception.

    It has the target's suffix (writers that choose a format by name work) and starts with a dot
    (listings do not see it). Raises DiskFullError when there is no room; then, as after any other
    exception, the temporary file is gone and an older `target` is untouched.
    """
    partial = target.parent / f"{_PARTIAL_MARK}{secrets.token_hex(8)}{target.suffix}"
    try:
        with full_disk_reported(target):
            yield partial
            _flush_to_disk(partial)
            partial.replace(target)
            _flush_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(target: Path, content: bytes) -> None:
    """Writes the whole file or nothing. Raises DiskFullError."""
    with atomic_path(target) as partial:
        partial.write_bytes(content)


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object for people to read, whole or not at all. Raises DiskFullError."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    # A lone surrogate (half an emoji, from a broken paste) becomes its JSON escape.
    write_bytes(target, text.encode("utf-8", errors="backslashreplace"))


@contextlib.contextmanager
def full_disk_reported(target: Path) -> Iterator[None]:
    """Turns the system's "no space left" within the block into a DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        raise _no_room(target.name, target.parent) from error


def check_writable(folder: Path, hint: str, needed_bytes: int = 0) -> None:
    """Checks, before work that takes time, that its result can be kept in `folder`.

    A folder that does not exist yet is not made; then the nearest one above it is checked. Raises
    NotWritableError with `hint`, which says what to do, and DiskFullError if less than
    `needed_bytes` are free.
    """
    probe = folder
    try:
        place = nearest_folder(folder)
        probe = place / f"{_PARTIAL_MARK}{secrets.token_hex(8)}"
        try:
            with probe.open("xb", buffering=0) as file:
                file.write(b"\0" * _PROBE_BYTES)
        finally:
            probe.unlink(missing_ok=True)
        disk = shutil.disk_usage(place)
    except OSError as error:
        explained = explain_write_error(error, folder)
        if isinstance(explained, NotWritableError):
            raise NotWritableError(explained.message, hint) from error
        raise explained from error
    if disk.total and disk.free < needed_bytes:  # some network disks say that they have none
        raise _no_room(str(folder), folder)


def explain_write_error(error: OSError, folder: Path | None = None) -> StudioError:
    """What the system's refusal to write means; `folder` is where, if the caller knows better.

    A refusal of another kind keeps the system's own words.
    """
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    where = folder or (path.parent if path else None)
    if error.errno in _NO_SPACE:
        return _no_room(path.name if path and folder is None else "", where)
    known = _REFUSALS.get(error.errno or 0)
    reason = _(known) if known else error.strerror or str(error)
    return NotWritableError(
        _("{where} cannot be written to: {reason}.", where=where or _("The folder"), reason=reason),
        _("Choose another folder, or make this one writable."),
    )


def is_refused_write(error: OSError) -> bool:
    """Whether the system refused to write: the disk is full or read-only, or the user may not."""
    return error.errno in _NO_SPACE or error.errno in _REFUSED


def _no_room(name: str, folder: Path | None) -> DiskFullError:
    what = name or folder or _("the file")
    return DiskFullError(
        _("There was no room on the disk to write {name}.", name=what),
        _("Free some space where {folder} lies and try again.", folder=folder)
        if folder
        else _("Free some space on the disk and try again."),
    )


def nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists. Raises OSError for a file."""
    place = folder.absolute()
    while not place.is_dir():
        if place.exists():
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
        place = place.parent
    return place


def remove_leftovers(folder: Path, older_than_s: float = 3600.0) -> None:
    """Deletes what a killed process left half-written; younger files may still be in the making."""
    for path in folder.glob(f"{_PARTIAL_MARK}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()
                logger.info("Removed the half-written file %s", path)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _flush_folder(folder: Path) -> None:
    """Makes the rename itself durable; only POSIX systems can open a folder for that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems refuse; the file itself is safe
        logger.debug("Could not flush the folder %s: %s", folder, error)
    finally:
        os.close(descriptor)
