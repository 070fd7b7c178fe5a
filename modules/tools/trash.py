"""The trash of the whole studio: what was deleted, bringing it back, deleting it for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from modules.core_components.errors import NotFoundError
from modules.core_components.library.trash import Trash
from modules.core_components.texts import _, mark
from modules.tools.listening.transcripts import DeletedTranscripts
from modules.tools.services import Services


class _Library(Protocol):
    """What every library of the user's things has."""

    @property
    def trash(self) -> Trash: ...

    @property
    def restore(self) -> Callable[[str], Any]: ...


@dataclass(frozen=True)
class TrashItem:
    """Something deleted. `kind` is one of `KINDS`, `deleted` in UTC."""

    kind: str
    id: str
    name: str
    deleted: datetime
    size_bytes: int


KINDS: Mapping[str, Callable[[Services], _Library]] = {
    mark("sample"): lambda services: services.samples,
    mark("take"): lambda services: services.takes,
    mark("voice"): lambda services: services.voices,
    mark("transcript"): DeletedTranscripts,
    mark("conversation"): lambda services: services.conversations,
    mark("dataset"): lambda services: services.datasets,
    mark("training"): lambda services: services.training_runs,
    mark("fine-tuned model"): lambda services: services.tuned_models,
}


def list_trash(services: Services) -> tuple[TrashItem, ...]:
    """Everything that was deleted and not removed for good, the last one deleted first."""
    found = (
        TrashItem(kind, entry.id, entry.name, entry.deleted, entry.size_bytes)
        for kind, library in _libraries(services)
        for entry in library.trash.entries()
    )
    return tuple(sorted(found, key=lambda item: item.deleted, reverse=True))


def restore_from_trash(services: Services, item_id: str) -> TrashItem:
    """Brings something back, under another name where its own has been given away since.

    Raises NotFoundError, and BadInputError for a training whose name is taken.
    """
    for item in list_trash(services):
        if item.id == item_id:
            KINDS[item.kind](services).restore(item_id)
            return item
    raise NotFoundError(
        _("There is no {item_id!r} in the trash.", item_id=item_id),
        _("List the trash to see its ids."),
    )


def empty_trash(services: Services) -> tuple[int, int]:
    """Deletes everything in the trash for good; returns how many things and how many bytes."""
    items = list_trash(services)
    for _unused, library in _libraries(services):
        library.trash.empty()
    return len(items), sum(item.size_bytes for item in items)


def _libraries(services: Services) -> Iterator[tuple[str, _Library]]:
    return ((kind, open_library(services)) for kind, open_library in KINDS.items())
