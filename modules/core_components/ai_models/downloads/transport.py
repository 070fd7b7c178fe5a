"""What the downloader asks of every way to get files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from modules.core_components.ai_models.catalog_entries import ModelEntry, Source
from modules.core_components.ai_models.downloads.pins import Pins
from modules.core_components.ai_models.model_manifest import Manifest
from modules.core_components.progress import CancelToken, Progress


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
    so in this session, so that other sources are asked first."""

    local: bool
    unreachable: bool

    def serves(self, source: Source) -> bool: ...

    def label(self, source: Source) -> str:
        """Where the files come from, for people."""
        ...

    def works_offline(self, source: Source) -> bool:
        """Whether `source` can be delivered from what lies on this machine."""
        ...

    def deliver(self, delivery: Delivery) -> Manifest:
        """Raises DownloadError or CorruptFileError when the files cannot be had from there."""
        ...
