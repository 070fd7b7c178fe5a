"""Files in buckets and other stores, by address: s3://bucket/folder, gs://..., file:///...

fsspec reads them; for most stores it needs a package of its own, which the user adds.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from modules.core_components.atomic import full_disk_reported
from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# What an address may begin with, and the package that reads it. No others: fsspec knows some that
# unpack, keep copies, log in to other machines or run programs.
STORES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "file": "",
    "memory": "",
}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]+)://")
_PIECE_BYTES = 2**20
# What changes with the content; a store has one of them.
_VERSIONS = ("ETag", "etag", "md5Hash", "md5", "mtime", "LastModified", "last_modified", "created")

T = TypeVar("T")


@dataclass(frozen=True)
class StoredFile:
    """A file of a store: its address, its path below what was asked for, and what changes with it.

    Names in a store are anybody's: `place` is no path to write to before it was checked.
    """

    address: str
    place: PurePosixPath
    facts: str

    def __str__(self) -> str:
        return self.address


def is_address(text: str) -> bool:
    """Whether a text is an address (STORE://...), and no path of this machine."""
    return _ADDRESS.match(text) is not None


def find_files(address: str, suffixes: tuple[str, ...]) -> tuple[StoredFile, ...]:
    """The file at an address, or all below it with these suffixes (small letters), sorted.

    Raises BadInputError for a store that is not known, and StudioError for one that cannot be
    read, or whose package is missing.
    """

    def find() -> tuple[StoredFile, ...]:
        store, root = _open_store(address)
        if store.isfile(root):
            # Asked for by name, it is taken as it is.
            return (_described(store, root, store.info(root), PurePosixPath(root).name),)
        found: Mapping[str, Any] = store.find(root, detail=True)
        return tuple(
            _described(store, path, found[path], PurePosixPath(path).relative_to(root))
            for path in sorted(found)
            if path.lower().endswith(suffixes)
        )

    return _reading(address, find)


@contextlib.contextmanager
def fetched(address: str, target: Path, cancel: CancelToken) -> Iterator[Path]:
    """A copy of a file of a store at `target`, for the length of the block.

    What reads recordings goes back and forth in them. Raises JobCancelled, DiskFullError, and as
    `find_files`.
    """

    def copy() -> None:
        store, path = _open_store(address)
        with store.open(path, "rb") as source, target.open("wb") as file:
            while piece := source.read(_PIECE_BYTES):
                cancel.raise_if_cancelled()
                with full_disk_reported(target):
                    file.write(piece)

    try:
        _reading(address, copy)
        yield target
    finally:
        target.unlink(missing_ok=True)


def _open_store(address: str) -> tuple[AbstractFileSystem, str]:
    import fsspec

    kind = _kind(address)
    # Listings are kept by the process, and recordings are added in between.
    options = {} if kind in ("file", "memory") else {"use_listings_cache": False}
    store, path = fsspec.core.url_to_fs(address, **options)
    return store, str(path)


def _kind(address: str) -> str:
    found = _ADDRESS.match(address)
    kind = found[1].lower() if found else ""
    if kind not in STORES or "::" in address:
        known = [f"{name}://" for name in STORES if name != "memory"]  # that one is for tests
        raise BadInputError(
            _("{address} is no place that recordings are read from.", address=address),
            _("An address begins with one of {known}.", known=", ".join(known)),
        )
    return kind


def _described(
    store: AbstractFileSystem, path: str, info: Mapping[str, Any], place: PurePosixPath | str
) -> StoredFile:
    address = str(store.unstrip_protocol(path))
    version = next((info[name] for name in _VERSIONS if info.get(name)), "")
    return StoredFile(address, PurePosixPath(place), f"{address}\n{info.get('size')} {version}\n")


def _reading(address: str, read: Callable[[], T]) -> T:
    """What `read` returns; its errors, which each store has of its own, as those of the studio."""
    kind = _kind(address)
    try:
        return read()
    except (StudioError, JobCancelled):
        raise
    except ImportError as error:
        raise StudioError(
            _(
                "{kind}:// needs the package {stores}, which is not installed.",
                kind=kind,
                stores=STORES[kind],
            ),
            _(
                "Install {stores} into the Python of the studio, on every machine that works.",
                stores=STORES[kind],
            ),
            details=f".venv/bin/python -m pip install {STORES[kind]}",
        ) from error
    except FileNotFoundError as error:
        raise BadInputError(
            _("There is nothing at {address}.", address=address), _("Check the address.")
        ) from error
    except Exception as error:
        raise StudioError(
            _("{address} cannot be read.", address=address),
            _("Check the address, the network, and the access that this machine has to the store."),
            details=f"{type(error).__name__}: {error}",
        ) from error
