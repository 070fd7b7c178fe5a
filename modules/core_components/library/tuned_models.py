"""The models a user fine-tuned: `finetune_models/<name>/` with its files and a card."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.library.names import (
    display_name,
    free_stem,
    safe_stem,
    same_name_key,
)
from modules.core_components.library.trash import Trash, name_in
from modules.core_components.texts import _, mark

logger = logging.getLogger(__name__)

CARD = "model_card.json"
REFERENCE = "reference.wav"
NEEDED = ("config.json", "model.pth", "vocab.json")
KNOWN = (*NEEDED, "speakers_xtts.pth", "reference*.wav", CARD)
_INCOMING = ".incoming-"


@dataclass(frozen=True)
class TunedModel:
    """A model of the user's own. `name` is its folder's, `label` what people read, `base_model`
    the id of what it was tuned from; `revision` changes when a file does; `card` says the rest:
    data, parameters, scores, licence."""

    name: str
    folder: Path
    label: str
    base_model: str = ""
    language: str = ""
    revision: str = ""
    card: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass
class Incoming:
    """A model on its way in: `folder` takes its files, and is the model's own at the end; `name`
    may still change until then."""

    folder: Path
    name: str


class TunedModelLibrary:
    """The models in a folder. What is in their files is the engine's business.

    Models are looked up in the listing; a name never becomes a path. Safe from every thread, and
    several processes may share the folder: a model appears in it whole, by a rename.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.trash = Trash(self.folder, mark("fine-tuned model"))
        self._lock = threading.RLock()

    def list(self) -> tuple[TunedModel, ...]:
        """The complete models by name."""
        if not self.folder.is_dir():
            return ()
        found = (place for place in self.folder.iterdir() if _is_model(place))
        return tuple(sorted(map(read_tuned_model, found), key=lambda m: same_name_key(m.name)))

    def get(self, name: str) -> TunedModel:
        """Raises NotFoundError."""
        for model in self.list():
            if same_name_key(model.name) == same_name_key(name):
                return model
        known = ", ".join(model.name for model in self.list())
        raise NotFoundError(
            _("There is no fine-tuned model named {name!r}.", name=name),
            _("There are: {known}.", known=known) if known else _("Train one, or import one."),
        )

    @contextlib.contextmanager
    def adding(self, name: str) -> Iterator[Incoming]:
        """A folder to put a model's files into; it becomes the model when the block ends well.

        The model is called `name`, or that and a number where the name is taken. After an
        exception nothing is left. Raises BadInputError when files are missing, DiskFullError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / f"{_INCOMING}{secrets.token_hex(8)}"
        try:
            with atomic.full_disk_reported(place):
                place.mkdir()
                yield (incoming := Incoming(place, name))
                lacking = [needed for needed in NEEDED if not (place / needed).is_file()]
                if lacking:
                    raise BadInputError(
                        _("The model is not complete."),
                        _("Give all files of a fine-tuned XTTS model and its reference clips."),
                        details=f"It has no {', '.join(lacking)}; needed: {', '.join(NEEDED)}.",
                    )
                with self._lock:
                    free = free_stem(self.folder, safe_stem(incoming.name, "model"))
                    incoming.folder = place.rename(self.folder / free)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def add(self, source: Path, card: Mapping[str, Any]) -> TunedModel:
        """Keeps the finished files of `source` under the card's "name" (or the folder's); they
        move. Raises as `adding` does."""
        name = str(card.get("name") or source.name)
        with self.adding(name) as incoming:
            for path in _known_files(source):
                shutil.move(path, incoming.folder / path.name)
            stamped = {"created": datetime.now(timezone.utc).isoformat(timespec="seconds"), **card}
            atomic.write_json(incoming.folder / CARD, stamped)
        return read_tuned_model(incoming.folder)

    def rename(self, name: str, label: str) -> TunedModel:
        """Changes what people read, on the model's card; its folder, and so its id, stay.

        Raises NotFoundError, BadInputError for an empty label, and DiskFullError.
        """
        label = display_name(label, "")
        if not label:
            raise BadInputError(_("The voice has no name."), _("Write one."))
        with self._lock:
            model = self.get(name)
            atomic.write_json(model.folder / CARD, {**model.card, "label": label})
            return read_tuned_model(model.folder)

    def delete(self, name: str) -> str:
        """Moves a model to the trash; returns the id for `restore`. Raises NotFoundError."""
        return self.trash.add_folder(self.get(name).folder)

    def restore(self, trash_id: str) -> TunedModel:
        """Undoes `delete`; numbered if its name has been given away since. Raises NotFoundError."""
        with self._lock:
            place = self.trash.place_of(trash_id)
            free = free_stem(self.folder, name_in(trash_id))
            return read_tuned_model(place.rename(self.folder / free))


def read_tuned_model(folder: Path) -> TunedModel:
    """The model in `folder`, with what its card says; without a card, its folder's name."""
    card = _read_card(folder / CARD)

    def said(key: str) -> str:
        value = card.get(key)
        return value if isinstance(value, str) else ""

    return TunedModel(
        name=folder.name,
        folder=folder,
        label=display_name(said("label") or said("name"), folder.name),
        base_model=said("base_model"),
        language=said("language"),
        revision=_revision(folder),
        card=card,
    )


def _revision(folder: Path) -> str:
    """Of what is in the files now, by their sizes and times: reading gigabytes would take long."""
    marks = []
    for path in _known_files(folder):
        if path.name != CARD:
            status = path.stat()
            marks.append((path.name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(marks).encode()).hexdigest()[:16]


def _known_files(folder: Path) -> list[Path]:
    return sorted(
        path for pattern in KNOWN for path in folder.glob(pattern) if _is_plain_file(path)
    )


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_model(place: Path) -> bool:
    hidden = place.name.startswith(".")
    return not hidden and all(_is_plain_file(place / name) for name in NEEDED)


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s cannot be read and is left out: %s", path, error)
        return {}
    return card if isinstance(card, dict) else {}
