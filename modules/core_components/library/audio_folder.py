"""A folder of recordings, each an audio file with a JSON file of the same name next to it.

The audio file is what counts: it appears last and goes first, so a crash never leaves it without
the JSON that belongs to it, and a JSON without audio is nothing.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.errors import NotFoundError
from modules.core_components.library.names import free_stem
from modules.core_components.library.trash import Trash
from modules.core_components.texts import _

logger = logging.getLogger(__name__)

_FILE_STAMP = "file"


class AudioFolder:
    """Recordings with the given suffixes directly in `folder`; deleted ones lie in `.trash`.

    Paths come from here and go back here; nothing in it takes a name that somebody typed.
    """

    def __init__(self, folder: Path, suffixes: Collection[str], noun: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.trash = Trash(self.folder, noun)
        self._suffixes = frozenset(suffixes)
        self.lock = threading.RLock()
        atomic.remove_leftovers(self.folder)

    def audio_paths(self) -> Iterator[Path]:
        """The recordings, unordered. Hidden files and links that lead out are left out."""
        return self._audio_in(self.folder)

    def read_info(self, audio: Path) -> dict[str, Any]:
        """The JSON next to a recording; {} without one. One that is damaged is set aside."""
        path = audio.with_suffix(".json")
        if path.is_symlink() or not path.exists():
            return {}
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(info, dict):
                raise ValueError("not a JSON object")  # noqa: TRY004 - about file content
        except (ValueError, RecursionError) as error:
            aside = path.with_suffix(".json.damaged")
            path.replace(aside)
            logger.warning("%s could not be read (%s); kept as %s", path, error, aside.name)
            return {}
        return info

    def write_info(self, audio: Path, info: Mapping[str, Any]) -> None:
        """Replaces the JSON next to a recording. Raises DiskFullError; then the old one stays."""
        atomic.write_json(audio.with_suffix(".json"), {**info, _FILE_STAMP: _stamp(audio)})

    def is_unchanged(self, audio: Path, info: Mapping[str, Any]) -> bool:
        """Whether the recording is still the one that its JSON was written for."""
        return info.get(_FILE_STAMP) == _stamp(audio)

    def add(self, stem: str, suffix: str, content: bytes, info: Mapping[str, Any]) -> Path:
        """Keeps a recording and its JSON under `stem` (from `safe_stem`) or a numbered one.

        Raises DiskFullError; then nothing is left behind.
        """
        reserved = self._reserve(stem)
        audio = reserved.with_suffix(suffix)
        try:
            with atomic.atomic_path(audio) as partial:
                partial.write_bytes(content)
                atomic.write_json(reserved, {**info, _FILE_STAMP: _stamp(partial)})
        except BaseException:
            if not audio.exists():
                reserved.unlink(missing_ok=True)
            raise
        return audio

    def delete(self, audio: Path) -> str:
        """Moves a recording and its JSON to the trash; returns the id to restore it by."""
        return self.trash.add_files(audio.stem, [audio, audio.with_suffix(".json")])

    def restore(self, trash_id: str) -> Path:
        """Brings a deleted recording back, numbered if its name has been given away since.

        Raises NotFoundError.
        """
        place = self.trash.place_of(trash_id)
        audio = next(self._audio_in(place), None)
        if audio is None:
            raise NotFoundError(
                _("The trash holds no recording under {trash_id}.", trash_id=trash_id)
            )
        info = audio.with_suffix(".json")
        with self.lock:
            target = self._reserve(audio.stem)
            if info.exists():
                info.replace(target)
            else:
                target.unlink()
            restored = audio.replace(target.with_suffix(audio.suffix))
        place.rmdir()
        return restored

    def _audio_in(self, folder: Path) -> Iterator[Path]:
        for path in folder.iterdir():
            if path.name.startswith(".") or path.suffix.lower() not in self._suffixes:
                continue
            if path.is_symlink() and path.resolve().parent != folder:
                logger.warning("%s leads out of its folder and is left out", path)
            elif path.is_file():
                yield path

    def _reserve(self, stem: str) -> Path:
        """Creates the JSON under a free name, so that no other thread or process takes it."""
        while True:
            path = self.folder / f"{free_stem(self.folder, stem)}.json"
            try:
                with atomic.full_disk_reported(path):
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            except FileExistsError:
                continue
            return path


def _stamp(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
