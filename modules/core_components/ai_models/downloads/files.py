"""Files of a download: disk space, progress, part files, manifest, locks.

A download that is broken off (even by kill -9) leaves whole, checked files and at most one
`.part`; the manifest says which of them belong to which source and revision, so that the next try
goes on and never mixes two sources.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from modules.core_components import atomic
from modules.core_components.ai_models.catalog import (
    FileRecord,
    Manifest,
    ModelEntry,
    ModelFile,
    Source,
    is_safe_name,
    read_manifest,
    write_manifest,
)
from modules.core_components.errors import (
    CorruptFileError,
    DiskFullError,
)
from modules.core_components.progress import POLL_S, CancelToken, Progress, no_progress
from modules.core_components.texts import _
from modules.core_components.units import size_text

MARGIN_BYTES = 64 * 1024 * 1024  # the studio's own notes, logs and takes keep working


def ensure_free(folder: Path, needed_bytes: int) -> None:
    """Raises DiskFullError unless `needed_bytes` (and a margin) fit on the disk of `folder`."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed_bytes and free < needed_bytes + MARGIN_BYTES:
        raise DiskFullError(
            _(
                "The disk of {folder} has {free} free; {needed} are needed.",
                folder=folder,
                free=size_text(free),
                needed=size_text(needed_bytes + MARGIN_BYTES),
            ),
            _("Free some space, or choose another models folder in the settings."),
        )


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turns the system's "no space left" while writing `target` into a DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            _("The disk became full while {name} was written.", name=target.name),
            _("Free some space and start again: what arrived so far is kept."),
        ) from error


_REPORT_EVERY_S = 0.1
_SPEED_WINDOW_S = 5.0


class Meter:
    """Counts the bytes of all files together and reports them, at most ten times a second.

    `total_bytes` 0 means unknown: then the fraction stays 0 until the end.
    """

    def __init__(
        self,
        progress: Progress,
        total_bytes: int,
        source: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._total = total_bytes
        self._source = source
        self._clock = clock
        self._base = 0
        self._file = ""
        self._here = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._reported = float("-inf")

    def start(self, file: str) -> None:
        """The next file: what was counted before it stays counted."""
        self._base += self._here
        self._file, self._here = file, 0

    def at(self, here: int, arrived: bool = True) -> None:
        """`here` bytes of the file are there; not `arrived`: they were found, not transferred."""
        now = self._clock()
        if not arrived or here < self._here:
            self._recent.clear()
        self._here = here
        self._recent.append((now, self._base + here))
        while now - self._recent[0][0] > _SPEED_WINDOW_S:
            self._recent.popleft()
        if now - self._reported >= _REPORT_EVERY_S:
            self._reported = now
            self._progress(self._fraction(), self._message())

    def _fraction(self) -> float:
        return min((self._base + self._here) / self._total, 1.0) if self._total else 0.0

    def _message(self) -> str:
        done = size_text(self._base + self._here)
        if self._total:
            done = _("{done} of {total}", done=done, total=size_text(self._total))
        (start, first), (end, last) = self._recent[0], self._recent[-1]
        if last > first and end - start > 0.5:
            speed = size_text((last - first) / (end - start))
            done = _("{done}, {speed}/s", done=done, speed=speed)
        return _("{file}: {done} from {source}", file=self._file, done=done, source=self._source)


CHUNK = 1 << 20


class PartFile:
    """A file on its way to `target`, a context manager.

    Leaving it in any way but `finish` keeps the part for the next try.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.size = 0
        self._sha256 = hashlib.sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab")

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def take_up(self, cancel: CancelToken) -> int:
        """Reads what an earlier try left, for the hash; returns its size in bytes."""
        for chunk in read_chunks(self.path, cancel):
            self._sha256.update(chunk)
            self.size += len(chunk)
        return self.size

    def restart(self) -> None:
        """Forgets what is there."""
        self._file.truncate(0)
        self.size = 0
        self._sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Raises DiskFullError when the disk is full."""
        with disk_errors(self.target):
            self._file.write(chunk)
            self._file.flush()  # what a killed process has received is on the disk
        self._sha256.update(chunk)
        self.size += len(chunk)

    def finish(self, expected: ModelFile) -> FileRecord:
        """Checks size and hash against `expected` and gives the file its final name.

        Raises CorruptFileError, and drops the part, when they are not what they must be.
        """
        digest = self._sha256.hexdigest()
        wrong_size = expected.bytes is not None and self.size != expected.bytes
        if wrong_size or expected.sha256 not in (None, digest):
            self._file.close()
            self.path.unlink()
            raise CorruptFileError(
                _(
                    "A file arrived with another content than the studio expects, and was "
                    "thrown away."
                ),
                _("Try again, or use another source."),
                details=f"{expected.name} arrived with {self.size} bytes and SHA-256 {digest}, not "
                f"{expected.bytes or self.size} bytes and {expected.sha256 or digest}.",
            )
        with disk_errors(self.target):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        self.path.replace(self.target)
        return FileRecord(self.size, digest, self.target.stat().st_mtime_ns)


def write_whole(
    target: Path, chunks: Iterable[bytes], expected: ModelFile, meter: Meter, cancel: CancelToken
) -> FileRecord:
    """Writes `target` from the start; for sources that lie on this machine."""
    meter.start(expected.name)
    with PartFile(target) as part:
        part.restart()
        for chunk in chunks:
            cancel.raise_if_cancelled()
            part.write(chunk)
            meter.at(part.size)
        return part.finish(expected)


def read_chunks(path: Path, cancel: CancelToken) -> Iterator[bytes]:
    """The content of a file, a megabyte at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            cancel.raise_if_cancelled()
            yield chunk


def sha256_of(path: Path, cancel: CancelToken) -> str:
    digest = hashlib.sha256()
    for chunk in read_chunks(path, cancel):
        digest.update(chunk)
    return digest.hexdigest()


class Arrival:
    """Files of one source, at one revision, coming into `folder`."""

    def __init__(self, folder: Path, source: Source, revision: str) -> None:
        self.folder = folder
        self._manifest = Manifest(source.id, revision, {}, complete=False)
        earlier = read_manifest(folder)
        if earlier is not None and (earlier.source, earlier.revision) == (source.id, revision):
            self._manifest = replace(earlier, complete=False)

    def has(self, expected: ModelFile, cancel: CancelToken) -> bool:
        """Whether the file is here already: recorded and untouched, or its known content."""
        path = self.target(expected.name)
        record = self._manifest.files.get(expected.name)
        if record is not None and record.fits(path):
            return expected.sha256 in (None, record.sha256)
        if expected.sha256 is None or not path.is_file():
            return False
        found = path.stat()
        if expected.bytes not in (None, found.st_size):
            return False
        if sha256_of(path, cancel) != expected.sha256:
            return False
        self.add(expected.name, FileRecord(found.st_size, expected.sha256, found.st_mtime_ns))
        return True

    def target(self, name: str) -> Path:
        return inside(self.folder, name)

    def add(self, name: str, record: FileRecord) -> None:
        files = {**self._manifest.files, name: record}
        self._manifest = replace(self._manifest, files=files)
        write_manifest(self.folder, self._manifest)

    def complete(self, names: tuple[str, ...]) -> Manifest:
        """All of `names` are here; files recorded earlier that are not among them are forgotten."""
        files = {name: self._manifest.files[name] for name in names}
        self._manifest = replace(self._manifest, files=files, complete=True)
        write_manifest(self.folder, self._manifest)
        return self._manifest


def inside(folder: Path, name: str) -> Path:
    """`folder / name`. Raises CorruptFileError for a name that leads out of the folder."""
    if not is_safe_name(name):
        raise CorruptFileError(_("An unsafe file name was refused."), details=repr(name))
    return folder / name


def planned_revision(folder: Path, source: Source, pinned: str | None) -> str:
    """The revision to ask for: begun here before, else pinned by an earlier download, else the
    catalog's."""
    earlier = read_manifest(folder)
    if earlier is not None and earlier.source == source.id:
        return earlier.revision
    return pinned or source.revision


# One download at a time: a file lock across processes, a shared result across threads.


@contextmanager
def process_lock(
    path: Path, cancel: CancelToken, progress: Progress = no_progress
) -> Iterator[None]:
    """Holds the lock file; the system frees it when its process dies. Waiting can be cancelled."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(path.name + ".lock"))
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            progress(0.0, _("Waiting for another window of the studio that downloads it"))
            if cancel.wait(POLL_S):
                cancel.raise_if_cancelled()
    try:
        yield
    finally:
        lock.release()


# Pins: what the catalog leaves open (the commit of a branch or tag, hashes of files) as the first
# download found it. They outlive the model's folder, so that a second download is compared.

PINS_NAME = ".pins.json"


class Pins:
    """The pins of one model, in the models folder."""

    def __init__(self, models_folder: Path, model_id: str) -> None:
        self._path = models_folder / PINS_NAME
        self._model_id = model_id

    def revision(self, source: Source) -> str | None:
        value = self._of(source).get("revision")
        return value if isinstance(value, str) else None

    def expected(self, source: Source, file: ModelFile) -> ModelFile:
        """`file` with the hash that was recorded, where the catalog has none."""
        known = self._of(source).get("files", {}).get(file.name)
        if file.sha256 is not None or known is None:
            return file
        return ModelFile(file.name, file.bytes, known)

    def record(self, source: Source, manifest: Manifest, derived: frozenset[str]) -> None:
        """Adds a finished download; `derived` files may differ from machine to machine."""
        everything = self._read()
        everything.setdefault(self._model_id, {})[source.id] = {
            "revision": manifest.revision,
            "files": {
                name: record.sha256
                for name, record in manifest.files.items()
                if name not in derived
            },
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(self._path, everything)

    def _of(self, source: Source) -> dict[str, Any]:
        found = self._read().get(self._model_id, {}).get(source.id, {})
        return found if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Delivery:
    """One attempt to bring a model into `folder` from `source`."""

    entry: ModelEntry
    source: Source
    folder: Path
    pins: Pins
    progress: Progress
    cancel: CancelToken


class Transport(Protocol):
    """`local`: looks on this machine, so it is asked before the others. `unreachable`: turned out
    so in this session, so that other sources are asked first. `sends_token`: an access token goes
    with its requests."""

    local: bool
    unreachable: bool

    @property
    def sends_token(self) -> bool: ...

    def serves(self, source: Source) -> bool: ...

    def label(self, source: Source) -> str:
        """Where the files come from, for people."""
        ...

    def works_offline(self, source: Source) -> bool:
        """Whether `source` can be delivered from what lies on this machine."""
        ...

    def check(self, entry: ModelEntry, source: Source, folder: Path, cancel: CancelToken) -> None:
        """Raises DownloadError where `source` does not answer now; nothing is fetched."""
        ...

    def deliver(self, delivery: Delivery) -> Manifest:
        """Raises DownloadError or CorruptFileError when the files cannot be had from there."""
        ...
