"""The takes: `output/<id>.wav` (or flac, mp3) with `output/<id>.json` next to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components.audio.files import (
    FORMATS,
    audio_sha256,
    encode_speech,
    pcm_sha256,
)
from modules.core_components.errors import NotFoundError
from modules.core_components.library.audio_folder import AudioFolder
from modules.core_components.library.names import safe_stem
from modules.core_components.library.records import take_from_json, take_to_json
from modules.core_components.texts import _, mark
from modules.core_components.values import Speech, Take

_STAMP_FORMAT = "%Y%m%d-%H%M%S-%f"
_STAMP = re.compile(r"\d{8}-\d{6}-\d{6}(?=_)")


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class TakeFilter:
    """Which takes to list: those of which all of this holds; "" and None hold of every take.

    `search` are words that text and voice have, in any order and case; `kind`, `voice` and `engine`
    those of the take; `since` when it was made at the earliest, with a time zone.
    """

    search: str = ""
    kind: str = ""
    voice: str = ""
    engine: str = ""
    since: datetime | None = None
    favourites: bool = False

    def matches(self, take: Take) -> bool:
        named = ((self.kind, take.kind), (self.voice, take.voice), (self.engine, take.engine))
        if any(wanted and wanted != found for wanted, found in named):
            return False
        if (self.favourites and not take.favourite) or not self._is_recent(take):
            return False
        text = f"{take.text}\n{take.voice}".casefold()
        return all(word in text for word in self.search.casefold().split())

    def _is_recent(self, take: Take) -> bool:
        if self.since is None:
            return True
        try:
            created = datetime.fromisoformat(take.created)
        except ValueError:  # a record that somebody edited
            return False
        return created.replace(tzinfo=created.tzinfo or timezone.utc) >= self.since


EVERY_TAKE = TakeFilter()


@dataclass(frozen=True)
class TakeChoices:
    """What there are takes of, each in the order of the alphabet."""

    kinds: tuple[str, ...]
    voices: tuple[str, ...]
    engines: tuple[str, ...]


class TakeLibrary:
    """The takes in a folder. An id is a file name without suffix, looked up in the listing.

    A sound file without JSON is listed with what the file itself says.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime] = _now) -> None:
        self._files = AudioFolder(folder, {f".{fmt}" for fmt in FORMATS}, mark("take"))
        self.trash = self._files.trash
        self._now = now
        # By path, with what tells whether it was changed since: reading thousands takes seconds.
        self._known: dict[Path, tuple[tuple[int, ...], Take]] = {}

    def save(self, fields: Mapping[str, Any], speech: Speech, fmt: str = "wav") -> Take:
        """Keeps a take with everything needed to make it again.

        `fields` are those of `Take` that its maker knows; id, path, lengths, hashes and time are
        filled in here. The id begins with the time (UTC, microseconds), then the voice; two takes
        never share one. Raises DiskFullError; then nothing is left behind.
        """
        content = encode_speech(speech, fmt)
        created = self._now()
        stem = f"{created.strftime(_STAMP_FORMAT)}_{safe_stem(fields['voice'])}"
        take = Take(
            **{
                **fields,
                "id": stem,
                "path": Path(),
                "duration_s": speech.duration_s,
                "sample_rate_hz": speech.sample_rate_hz,
                "audio_sha256": audio_sha256(speech),
                "pcm_sha256": pcm_sha256(speech),
                "created": created.isoformat(),
            }
        )
        with self._files.lock:
            path = self._files.add(stem, f".{fmt}", content, take_to_json(take))
        return replace(take, id=path.stem, path=path)

    def list(
        self, limit: int | None = None, offset: int = 0, wanted: TakeFilter = EVERY_TAKE
    ) -> tuple[Take, ...]:
        """Takes, newest first: `limit` of those that are wanted, after the first `offset`."""
        end = None if limit is None else offset + limit
        if wanted == EVERY_TAKE:
            return tuple(self._read(*found) for found in self._newest_first()[offset:end])
        return self._matching(wanted)[offset:end]

    def count(self, wanted: TakeFilter = EVERY_TAKE) -> int:
        """How many takes there are to list."""
        return len(self._newest_first() if wanted == EVERY_TAKE else self._matching(wanted))

    def ids(self) -> tuple[str, ...]:
        """The ids of all takes, newest first."""
        return tuple(take_id for take_id, _unused in self._newest_first())

    def choices(self) -> TakeChoices:
        """The kinds, voices and engines of the takes."""
        takes = [self._read(*found) for found in self._newest_first()]

        def of(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(sorted(filter(None, set(names)), key=str.casefold))

        return TakeChoices(
            of(take.kind for take in takes),
            of(take.voice for take in takes),
            of(take.engine for take in takes),
        )

    def mark_favourite(self, take_id: str, favourite: bool) -> Take:
        """Keeps with the take whether it is a favourite. Raises NotFoundError, DiskFullError."""
        with self._files.lock:
            path = self.get(take_id).path
            record = self._files.read_info(path) or _facts(path)
            self._files.write_info(path, {**record, "favourite": favourite})
            return self.get(take_id)

    def get(self, take_id: str) -> Take:
        """Raises NotFoundError."""
        for found_id, path in self._newest_first():
            if found_id == take_id:
                return self._read(found_id, path)
        raise NotFoundError(
            _("There is no take {take_id!r}.", take_id=take_id), _("It was deleted, perhaps.")
        )

    def delete(self, take_id: str) -> str:
        """Moves a take to the trash; returns the id for `restore`. Raises NotFoundError."""
        with self._files.lock:
            return self._files.delete(self.get(take_id).path)

    def restore(self, trash_id: str) -> Take:
        """Undoes `delete`. Raises NotFoundError."""
        path = self._files.restore(trash_id)
        return next(self._read(*found) for found in self._newest_first() if found[1] == path)

    def _newest_first(self) -> tuple[tuple[str, Path], ...]:
        """(id, path) of every take. Of two files that differ in the suffix, one keeps it."""
        paths = sorted(self._files.audio_paths(), key=lambda path: (_made(path), path.name))
        stems: set[str] = set()
        found = []
        for path in paths:
            found.append((path.name if path.stem in stems else path.stem, path))
            stems.add(path.stem)
        return tuple(reversed(found))

    def _matching(self, wanted: TakeFilter) -> tuple[Take, ...]:
        takes = (self._read(*found) for found in self._newest_first())
        return tuple(filter(wanted.matches, takes))

    def _read(self, take_id: str, path: Path) -> Take:
        stamp = (*_stamp(path), *_stamp(path.with_suffix(".json")))
        known = self._known.get(path)
        if known is None or known[0] != stamp or known[1].id != take_id:
            record = self._files.read_info(path)
            known = (stamp, take_from_json(take_id, path, record or _facts(path)))
            self._known[path] = known
        return known[1]


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)


def _made(path: Path) -> str:
    """When a take was made: its name says so, or else the file's time."""
    if stamp := _STAMP.match(path.name):
        return stamp.group()
    modified = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    return modified.strftime(_STAMP_FORMAT)


def _facts(path: Path) -> dict[str, Any]:
    """What a sound file says about itself; less if it cannot be read."""
    import soundfile

    created = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).isoformat()
    try:
        about = soundfile.info(path)
    except soundfile.LibsndfileError:
        return {"voice": path.stem, "created": created}
    return {
        "voice": path.stem,
        "created": created,
        "duration_s": about.duration,
        "sample_rate_hz": about.samplerate,
    }
