"""The one way a model file comes into being: `<name>.part`, checked, renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from modules.core_components.ai_models.catalog_entries import ModelFile
from modules.core_components.ai_models.downloads.disk import disk_errors
from modules.core_components.ai_models.downloads.meter import Meter
from modules.core_components.ai_models.model_manifest import FileRecord
from modules.core_components.errors import CorruptFileError
from modules.core_components.progress import CancelToken

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
                f"{expected.name} arrived with {self.size} bytes and SHA-256 {digest}, not "
                f"{expected.bytes or self.size} bytes and {expected.sha256 or digest}.",
                "It was thrown away. Try again, or use another source.",
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
