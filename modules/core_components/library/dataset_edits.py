"""The journal of changes by hand in a dataset: each happens whole, and can be taken back.

A change is a folder `edits/<number>/` with `change.json` (the clips before and after) and the wav
files it replaced. It is written under the name `pending` first, then carried out, then renamed to
its number. Each step may be done twice, so whoever finds `pending` (or `undoing`) after a crash
carries it out from the beginning.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.dataset.records import clip_from_json, clip_to_json
from modules.core_components.dataset.values import Clip
from modules.core_components.errors import CorruptFileError

ReplaceClips = Callable[[Sequence[Clip]], None]

_CHANGE, _PENDING, _UNDOING = "change.json", "pending", "undoing"


class EditJournal:
    """The changes of the dataset in `dataset_folder`; who calls holds the dataset's lock."""

    def __init__(self, dataset_folder: Path) -> None:
        self._wavs = dataset_folder / "wavs"
        self._folder = dataset_folder / "edits"

    def actions(self) -> tuple[str, ...]:
        """What each change was called, the last one first."""
        return tuple(_change_in(folder)["action"] for folder in reversed(self._numbered()))

    def begin(
        self,
        action: str,
        before: Sequence[Clip],
        after: Sequence[Clip],
        sounds: Mapping[str, bytes],
    ) -> None:
        """Writes down what is to happen; `finish` does it. Raises DiskFullError."""
        self._folder.mkdir(exist_ok=True)
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        try:
            with atomic.full_disk_reported(draft):
                (draft / "new").mkdir(parents=True)
                (draft / "old").mkdir()
            for clip_id, content in sounds.items():
                atomic.write_bytes(draft / "new" / f"{clip_id}.wav", content)
            change = {
                "action": action,
                "before": [clip_to_json(clip) for clip in before],
                "after": [clip_to_json(clip) for clip in after],
            }
            atomic.write_json(draft / _CHANGE, change)
            draft.rename(self._folder / _PENDING)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def finish(self, replace: ReplaceClips) -> None:
        """Carries out what was begun."""
        pending = self._folder / _PENDING
        _swap_in(self._wavs, incoming=pending / "new", outgoing=pending / "old")
        replace([clip_from_json(record) for record in _change_in(pending)["after"]])
        numbered = self._numbered()
        number = int(numbered[-1].name) + 1 if numbered else 1
        pending.rename(self._folder / f"{number:06d}")

    def take_back(self, replace: ReplaceClips) -> None:
        """Takes the last change back."""
        self._numbered()[-1].rename(self._folder / _UNDOING)
        self._finish_undoing(replace)

    def forget(self) -> None:
        """Drops every change; none can be taken back any more."""
        for folder in self._numbered():
            shutil.rmtree(folder, ignore_errors=True)

    def recover(self, replace: ReplaceClips) -> None:
        """Finishes what a process that died had begun."""
        if (self._folder / _UNDOING).is_dir():
            self._finish_undoing(replace)
        if (self._folder / _PENDING).is_dir():
            self.finish(replace)

    def _finish_undoing(self, replace: ReplaceClips) -> None:
        undoing = self._folder / _UNDOING
        _swap_in(self._wavs, incoming=undoing / "old", outgoing=undoing / "new")
        replace([clip_from_json(record) for record in _change_in(undoing)["before"]])
        done = undoing.rename(self._folder / f".undone-{secrets.token_hex(8)}")
        shutil.rmtree(done, ignore_errors=True)

    def _numbered(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.name.isdigit())


def _swap_in(wavs: Path, incoming: Path, outgoing: Path) -> None:
    for sound in sorted(incoming.glob("*.wav")):
        place, kept = wavs / sound.name, outgoing / sound.name
        if place.exists() and not kept.exists():
            place.replace(kept)
        sound.replace(place)


def _change_in(folder: Path) -> dict[str, Any]:
    path = folder / _CHANGE
    try:
        change: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptFileError(
            f"The journal of changes cannot be read at {path} ({error}).",
            "Remove that folder; this one change can then not be undone.",
        ) from error
    return change
