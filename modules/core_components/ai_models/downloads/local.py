"""Files that lie on this machine already: a folder of the user's, or the Hugging Face cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from modules.core_components.ai_models.catalog import (
    HubSource,
    Manifest,
    ModelEntry,
    ModelFile,
    Source,
)
from modules.core_components.ai_models.downloads.files import (
    Arrival,
    Delivery,
    Meter,
    ensure_free,
    read_chunks,
    write_whole,
)
from modules.core_components.errors import DownloadError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _

LOCAL_MODELS = "VOICE_STUDIO_LOCAL_MODELS"


def local_roots() -> tuple[Path, ...]:
    """The folders in VOICE_STUDIO_LOCAL_MODELS (separated like PATH), then the hub's cache."""
    from huggingface_hub import constants

    given = os.environ.get(LOCAL_MODELS, "").split(os.pathsep)
    return (*(Path(root).expanduser() for root in given if root), Path(constants.HF_HUB_CACHE))


class LocalTransport:
    """Copies a source's files from a root that holds them all.

    A root is laid out like a models folder (`whisper/base/model.bin`) or like the hub's cache
    (`models--Systran--faster-whisper-base/snapshots/<commit>/model.bin`). Files are copied, not
    linked: some engines rewrite old checkpoints in place, which must not reach the original.
    """

    sends_token = False

    def __init__(self, roots: Iterable[Path] | None = None) -> None:
        self.local = True
        self.unreachable = False
        self._roots = None if roots is None else tuple(roots)

    def serves(self, source: Source) -> bool:
        return isinstance(source, HubSource)

    def label(self, source: Source) -> str:  # the same for all of them
        return _("this machine")

    def works_offline(self, source: Source) -> bool:
        return True

    def check(self, entry: ModelEntry, source: Source, folder: Path, cancel: CancelToken) -> None:
        self._found(entry, source, folder)

    def deliver(self, delivery: Delivery) -> Manifest:
        entry, source, cancel = delivery.entry, delivery.source, delivery.cancel
        found = self._found(entry, source, delivery.folder)
        arrival = Arrival(delivery.folder, source, source.revision)
        origins = {item.name: path for path, item in found}
        wanted = [delivery.pins.expected(source, item) for _unused, item in found]
        coming = [item for item in wanted if not arrival.has(item, cancel)]
        total = sum(origins[item.name].stat().st_size for item in coming)
        ensure_free(delivery.folder, total)
        meter = Meter(delivery.progress, total, str(found[0][0].parent))
        for item in coming:
            chunks = read_chunks(origins[item.name], cancel)
            arrival.add(
                item.name, write_whole(arrival.target(item.name), chunks, item, meter, cancel)
            )
        return arrival.complete(tuple(item.name for item in wanted))

    def _found(
        self, entry: ModelEntry, source: Source, target: Path
    ) -> list[tuple[Path, ModelFile]]:
        found = self._find(entry, source, target)
        if found is None:
            raise DownloadError(
                _("No folder on this machine holds all files of {label}.", label=entry.label)
            )
        return found

    def _find(
        self, entry: ModelEntry, source: Source, target: Path
    ) -> list[tuple[Path, ModelFile]] | None:
        """Where each file of the model lies, in the first place that has them all."""
        roots = local_roots() if self._roots is None else self._roots
        for folder_of in (place for root in roots for place in _places(root, entry, source)):
            folders = [folder_of(file.name) for file in entry.files]
            if any(folder.resolve() == target.resolve() for folder in folders):
                continue
            files = [
                (folder / item.name, item)
                for folder, file in zip(folders, entry.files, strict=True)
                for item in _expanded(folder, file)
            ]
            if all(path.is_file() for path, _unused in files):
                return files
        return None


def _places(root: Path, entry: ModelEntry, source: Source) -> list[Callable[[str], Path]]:
    """The layouts that a root may have; each gives the folder of a file of the model."""

    def as_models_folder(name: str) -> Path:
        return root / entry.folder

    if not isinstance(source, HubSource):
        return [as_models_folder]
    hub = source

    def as_hub_cache(name: str) -> Path:
        place = hub.place_of(name)
        cached = root / f"models--{place.repository.replace('/', '--')}" / "snapshots"
        return cached / place.revision / place.path

    return [as_models_folder, as_hub_cache]


def _expanded(folder: Path, file: ModelFile) -> list[ModelFile]:
    if not file.is_pattern:
        return [file]
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob(file.name))
    return [ModelFile(name) for name in names] or [file]
