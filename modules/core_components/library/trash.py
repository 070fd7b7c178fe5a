"""The trash of one library: `.trash/<time>_<name>/`, until it is restored or emptied."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from modules.core_components import atomic
from modules.core_components.errors import NotFoundError
from modules.core_components.texts import _

_STAMP = "%Y%m%d-%H%M%S-%f"


@dataclass(frozen=True)
class TrashEntry:
    """Something deleted: its id for `take_out`, its name, when it was deleted (UTC), its size."""

    id: str
    name: str
    deleted: datetime
    size_bytes: int


class Trash:
    """What was deleted from `folder`. `noun` is what one such thing is called in errors; it is
    marked for translation."""

    def __init__(self, folder: Path, noun: str) -> None:
        self._folder = folder / ".trash"
        self._noun = noun

    def add_folder(self, folder: Path) -> str:
        """Moves a folder here; returns the id to restore it by. Raises DiskFullError."""
        place = self._new_place(folder.name)
        with atomic.full_disk_reported(place):
            place.parent.mkdir(exist_ok=True)
            folder.rename(place)
        return place.name

    def add_files(self, name: str, files: Sequence[Path]) -> str:
        """Moves those of `files` that exist here, in their order; returns the id to restore by.

        Raises DiskFullError.
        """
        place = self._new_place(name)
        with atomic.full_disk_reported(place):
            place.mkdir(parents=True)
        for path in filter(Path.exists, files):
            path.replace(place / path.name)
        return place.name

    def entries(self) -> tuple[TrashEntry, ...]:
        """What is here, the last one deleted first."""
        return tuple(map(_entry, sorted(self._places(), key=lambda p: p.name, reverse=True)))

    def ids(self) -> tuple[str, ...]:
        """As `entries`, without looking into them."""
        return tuple(sorted((place.name for place in self._places()), reverse=True))

    def place_of(self, entry_id: str) -> Path:
        """The folder of an entry. Raises NotFoundError."""
        for place in self._places():
            if place.name == entry_id:
                return place
        raise NotFoundError(
            _(
                "There is no {noun} {entry_id!r} in the trash.",
                noun=_(self._noun),
                entry_id=entry_id,
            ),
            _("The trash may have been emptied."),
        )

    def empty(self) -> int:
        """Deletes everything here for good; returns how many entries."""
        places = list(self._places())
        for place in places:
            shutil.rmtree(place)
        return len(places)

    def _places(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if path.is_dir() and not path.is_symlink()]

    def _new_place(self, name: str) -> Path:
        return self._folder / f"{datetime.now(timezone.utc).strftime(_STAMP)}_{name}"


def name_in(entry_id: str) -> str:
    """The name that an entry had before it was deleted."""
    return entry_id.partition("_")[2]


def _entry(place: Path) -> TrashEntry:
    stamp, _unused, name = place.name.partition("_")
    try:
        deleted = datetime.strptime(stamp, _STAMP).replace(tzinfo=timezone.utc)
    except ValueError:  # a folder that was put here by hand
        deleted = datetime.fromtimestamp(place.stat().st_mtime, timezone.utc)
    size_bytes = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    return TrashEntry(place.name, name or place.name, deleted, size_bytes)
