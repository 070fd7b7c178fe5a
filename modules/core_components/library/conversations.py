"""Conversations: a folder each, with the script, the voices, every line, and all joined.

conversation.json           what is said by whom, with seeds, and which take each line is
lines/<take>.wav, .json     the lines, kept as takes are: enough to make each of them again
words/<take>.json           when each word of a line is said, where the engine knows it
<id>.wav, .srt, .vtt        the whole, as it was last joined
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.errors import CorruptFileError, NotFoundError
from modules.core_components.library.names import display_name, free_stem, safe_stem
from modules.core_components.library.takes import TakeLibrary
from modules.core_components.library.trash import Trash, name_in
from modules.core_components.text.script import parse_script
from modules.core_components.texts import _, mark
from modules.core_components.values import Take, Word

logger = logging.getLogger(__name__)

_RECORD = "conversation.json"


@dataclass(frozen=True)
class CastMember:
    """With which voice a speaker speaks. `kind` is "preset" or "sample", as in a take.

    `voice_key` is the content hash of the voice as it was when the conversation began, "" where
    the engine's voices cannot change.
    """

    speaker: str
    voice: str
    kind: str
    engine: str
    language: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    voice_key: str = ""


@dataclass(frozen=True)
class Line:
    """What is spoken at once; `take` is the id of its recording, "" until it is made.

    `speaker` is "" for a part of a script that several speak in one go; `text` is that script then.
    """

    id: str
    speaker: str
    text: str
    seed: int
    style: str = ""
    take: str = ""

    @property
    def turns(self) -> tuple[str, ...]:
        """Who speaks in it, one after the other."""
        if self.speaker:
            return (self.speaker,)
        return tuple(turn.speaker for turn in parse_script(self.text))

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks in it, in the order of the first words."""
        return tuple(dict.fromkeys(self.turns))


@dataclass(frozen=True)
class Pauses:
    """Silence in seconds: between two lines of one speaker, and where another begins to speak."""

    lines_s: float = 0.3
    speakers_s: float = 0.5


@dataclass(frozen=True)
class Whole:
    """The conversation joined: length, hash (see `Take.audio_sha256`), and for each line, by its
    id, from when to when it is heard in seconds."""

    duration_s: float
    sample_rate_hz: int
    audio_sha256: str
    spans_s: Mapping[str, tuple[float, float]]
    gains_db: Mapping[str, float]


@dataclass(frozen=True)
class Conversation:
    """A script and what has been made of it so far. `whole` is None while a line is missing, and
    after a line was made again until all are joined again."""

    id: str
    folder: Path
    title: str
    created: str
    script: str
    seed: int
    cast: tuple[CastMember, ...]
    lines: tuple[Line, ...]
    pauses: Pauses = Pauses()
    whole: Whole | None = None
    app_version: str = ""

    @property
    def made(self) -> int:
        """How many lines have a recording."""
        return sum(bool(line.take) for line in self.lines)

    @property
    def in_one_go(self) -> bool:
        """Whether its lines are parts of the script, and not each what one speaker says."""
        return any(not line.speaker for line in self.lines)

    @property
    def is_complete(self) -> bool:
        """Whether every line has a recording and all are joined."""
        return self.whole is not None

    def member(self, speaker: str) -> CastMember:
        """Raises NotFoundError."""
        for member in self.cast:
            if member.speaker == speaker:
                return member
        raise NotFoundError(_("This conversation has no speaker {speaker!r}.", speaker=speaker))

    def line(self, line_id: str) -> Line:
        """Raises NotFoundError."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise NotFoundError(
            _("The conversation has no line {line_id!r}.", line_id=line_id), _("Open it again.")
        )

    def file(self, suffix: str) -> Path:
        """The whole with that suffix; it may not be there."""
        return self.folder / f"{self.id}.{suffix}"


def _now() -> datetime:
    return datetime.now(timezone.utc)


class ConversationLibrary:
    """The conversations in a folder; deleted ones lie in `.trash`. Ids are looked up."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = _now) -> None:
        self.folder = folder
        self.trash = Trash(folder, mark("conversation"))
        self._now = now
        self._lock = threading.RLock()

    def add(
        self,
        title: str,
        script: str,
        seed: int,
        cast: Sequence[CastMember],
        lines: Sequence[Line],
        pauses: Pauses,
        app_version: str = "",
    ) -> Conversation:
        """Keeps a conversation of which nothing is spoken yet. Raises DiskFullError."""
        created = self._now()
        title = display_name(title, "Conversation")
        stem = f"{created.strftime('%Y%m%d-%H%M%S')}_{safe_stem(title, 'conversation')}"
        with self._lock, atomic.full_disk_reported(self.folder / stem):
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = self.folder / free_stem(self.folder, stem)
            (folder / "lines").mkdir(parents=True)
            (folder / "words").mkdir()
            conversation = Conversation(
                id=folder.name,
                folder=folder,
                title=title,
                created=created.isoformat(),
                script=script,
                seed=seed,
                cast=tuple(cast),
                lines=tuple(lines),
                pauses=pauses,
                app_version=app_version,
            )
            return _written(conversation)

    def list(self) -> tuple[Conversation, ...]:
        """The last one begun first. One whose record is damaged is logged and left out."""
        found = []
        for path in self.folder.glob(f"[!.]*/{_RECORD}"):
            try:
                found.append(_read(path))
            except CorruptFileError as error:
                logger.warning("%s", error)
        return tuple(sorted(found, key=lambda one: (one.created, one.id), reverse=True))

    def get(self, conversation_id: str) -> Conversation:
        """Raises NotFoundError, CorruptFileError."""
        for path in self.folder.glob(f"[!.]*/{_RECORD}"):
            if path.parent.name == conversation_id:
                return _read(path)
        raise NotFoundError(
            _("There is no conversation {conversation_id!r}.", conversation_id=conversation_id),
            _("It was deleted, perhaps."),
        )

    def takes(self, conversation: Conversation) -> TakeLibrary:
        """The recordings of its lines."""
        return TakeLibrary(conversation.folder / "lines")

    def put_line(self, conversation_id: str, line: Line) -> Conversation:
        """Replaces the line of that id; what was joined before is out of date from then on.

        Raises NotFoundError, DiskFullError.
        """
        with self._lock:
            conversation = self.get(conversation_id)
            conversation.line(line.id)
            lines = tuple(line if old.id == line.id else old for old in conversation.lines)
            return _written(dataclasses.replace(conversation, lines=lines, whole=None))

    def put_whole(self, conversation: Conversation, whole: Whole) -> Conversation:
        """Notes that the lines of `conversation`, and no others, were joined.

        Raises NotFoundError, DiskFullError.
        """
        with self._lock:
            now = self.get(conversation.id)
            if now.lines != conversation.lines or now.pauses != conversation.pauses:
                return now
            return _written(dataclasses.replace(now, whole=whole))

    def put_pauses(self, conversation_id: str, pauses: Pauses) -> Conversation:
        """Other pauses, for the next time it is joined. Raises NotFoundError, DiskFullError."""
        with self._lock:
            conversation = self.get(conversation_id)
            if conversation.pauses == pauses:
                return conversation
            return _written(dataclasses.replace(conversation, pauses=pauses, whole=None))

    def keep_words(self, conversation: Conversation, take: Take, words: Sequence[Word]) -> None:
        """Keeps when each word of a line is said. Raises DiskFullError."""
        rows = [[word.text, round(word.start_s, 3), round(word.end_s, 3)] for word in words]
        atomic.write_json(conversation.folder / "words" / f"{take.id}.json", {"words": rows})

    def words(self, conversation: Conversation, take_id: str) -> tuple[Word, ...]:
        """The words of a line's recording with their times in it; none where they are not known."""
        for path in (conversation.folder / "words").glob("*.json"):
            if path.stem == take_id:
                return _words(path)
        return ()

    def delete(self, conversation_id: str) -> str:
        """Moves a conversation to the trash; returns the id for `restore`. Raises NotFoundError."""
        with self._lock:
            return self.trash.add_folder(self.get(conversation_id).folder)

    def restore(self, trash_id: str) -> Conversation:
        """Undoes `delete`. Raises NotFoundError."""
        with self._lock:
            place = self.trash.place_of(trash_id)
            folder = place.rename(self.folder / free_stem(self.folder, name_in(trash_id)))
        return _read(folder / _RECORD)


def _written(conversation: Conversation) -> Conversation:
    record = dataclasses.asdict(conversation)
    kept = {name: value for name, value in record.items() if name not in ("id", "folder")}
    atomic.write_json(conversation.folder / _RECORD, kept)
    return conversation


def _read(path: Path) -> Conversation:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        whole = record.get("whole")
        return Conversation(
            id=path.parent.name,
            folder=path.parent,
            title=str(record["title"]),
            created=str(record["created"]),
            script=str(record["script"]),
            seed=int(record["seed"]),
            cast=tuple(_known(CastMember, member) for member in record["cast"]),
            lines=tuple(_known(Line, line) for line in record["lines"]),
            pauses=_known(Pauses, record["pauses"]),
            whole=_whole(whole) if whole else None,
            app_version=str(record.get("app_version", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            _("The conversation in {parent} cannot be read.", parent=path.parent),
            _("Its lines are recordings in that folder."),
            details=f"Restore its {_RECORD}: {error!r}",
        ) from error


def _whole(record: Mapping[str, Any]) -> Whole:
    spans_s = {line: (float(start), float(end)) for line, (start, end) in record["spans_s"].items()}
    whole: Whole = _known(Whole, {**record, "spans_s": spans_s})
    return whole


def _known(kind: Any, record: Mapping[str, Any]) -> Any:
    """The dataclass from what it knows of a record; a newer version may have written more."""
    names = {item.name for item in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in record.items() if name in names})


def _words(path: Path) -> tuple[Word, ...]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["words"]
        return tuple(Word(str(text), float(start), float(end)) for text, start, end in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s could not be read (%r)", path, error)
        return ()
