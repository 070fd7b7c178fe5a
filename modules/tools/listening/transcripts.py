"""Kept transcripts: written, listed, read, corrected, exported, deleted and restored; and uploads.

On disk: `output/transcripts/<id>.json` as it was recognized, `<id>.flac` its recording,
`corrections/<id>.json` what a reader corrected, and `voices/<id>.json` the voices of its speakers.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modules.core_components.atomic import atomic_path, write_json
from modules.core_components.audio.files import write_flac
from modules.core_components.errors import BadInputError, CorruptFileError, NotFoundError
from modules.core_components.library.names import unique_path
from modules.core_components.library.trash import Trash, name_in
from modules.core_components.text import corrections as correcting
from modules.core_components.text.corrections import Corrections, corrected
from modules.core_components.text.subtitles import FORMATS, render
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Segment, Speech, Transcript, Word
from modules.tools.listening.speaker_voices import (
    Voices,
    keep_voices,
    read_voices,
    same_voices,
    voices_path,
)
from modules.tools.services import Services

logger = logging.getLogger(__name__)

_RECORDING = ".flac"
# Their own name is that of the transcript.
_CORRECTIONS_IN_TRASH = "corrections"
_VOICES_IN_TRASH = "voices"
# Two corrections that are sent at the same time are both kept.
_correcting = threading.Lock()


def transcripts_folder(services: Services) -> Path:
    """Where transcripts are kept; it may not exist yet."""
    return services.settings.output_folder / "transcripts"


def keep_transcript(
    services: Services,
    transcript: Transcript,
    title: str,
    speech: Speech | None = None,
    voices: Voices = MappingProxyType({}),
) -> Path:
    """Keeps a transcript as JSON under output/transcripts, and its recording; returns where.

    Speakers whose `voices` were named in another transcript have that name at once. Raises
    DiskFullError; then there is no transcript.
    """
    folder = transcripts_folder(services)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    target = unique_path(folder, f"{stamp} {title}", ".json")
    if speech is not None:
        write_flac(target.with_suffix(_RECORDING), speech)
    if voices:
        keep_voices(target, voices)
        names = same_voices(voices, named_voices(services))
        if names:
            _write_corrections(target, Corrections(speakers=names))
    with atomic_path(target) as partial:
        partial.write_text(render(transcript, "json"), encoding="utf-8")
    return target


def write_transcript(transcript: Transcript, fmt: str, target: Path) -> Path:
    """Writes a transcript as txt, srt, vtt or json."""
    if fmt not in FORMATS:
        raise BadInputError(
            _("Unknown format {fmt!r}.", fmt=fmt),
            _("Choose one of {formats}.", formats=", ".join(FORMATS)),
        )
    with atomic_path(target) as partial:
        partial.write_text(render(transcript, fmt), encoding="utf-8")
    return target


@dataclass(frozen=True)
class KeptTranscript:
    """A transcript on disk; `id` is its file name without suffix.

    `transcript` has the corrections, `original` has not. `recording` is a copy of the sound, None
    where none was kept.
    """

    id: str
    path: Path
    transcript: Transcript
    original: Transcript
    corrections: Corrections
    recording: Path | None


def list_transcripts(services: Services, limit: int = 200) -> tuple[KeptTranscript, ...]:
    """The newest first; files that cannot be read are logged and left out."""
    found = []
    for path in sorted(transcripts_folder(services).glob("*.json"), reverse=True)[:limit]:
        try:
            found.append(_kept(path))
        except CorruptFileError as error:
            logger.warning("%s %s", error, error.details)
    return tuple(found)


def get_transcript(services: Services, transcript_id: str) -> KeptTranscript:
    """A kept transcript by its id, which is looked up in the listing. Raises NotFoundError."""
    for path in transcripts_folder(services).glob("*.json"):
        if path.stem == transcript_id:
            return _kept(path)
    raise NotFoundError(
        _("There is no transcript {transcript_id!r}.", transcript_id=transcript_id),
        _("It may have been deleted."),
    )


def _kept(path: Path) -> KeptTranscript:
    original, corrections = read_transcript(path), _read_corrections(path)
    recording = path.with_suffix(_RECORDING)
    return KeptTranscript(
        path.stem,
        path,
        corrected(original, corrections),
        original,
        corrections,
        recording if recording.is_file() else None,
    )


def correct_word(
    services: Services, transcript_id: str, segment: int, word: int, text: str
) -> KeptTranscript:
    """Corrects a word of a kept transcript (see `corrections.correct_word`)."""
    return _correct(
        services,
        transcript_id,
        lambda kept: correcting.correct_word(kept.original, kept.corrections, segment, word, text),
    )


def name_speaker(
    services: Services, transcript_id: str, segment: int, name: str, everywhere: bool = True
) -> KeptTranscript:
    """Names who speaks in a segment of a kept transcript (see `corrections.name_speaker`).

    A name for everywhere also goes to the same voice in the other transcripts, unless it has
    another one there.
    """
    before: list[Corrections] = []

    def change(kept: KeptTranscript) -> Corrections:
        before.append(kept.corrections)
        return correcting.name_speaker(kept.original, kept.corrections, segment, name, everywhere)

    kept = _correct(services, transcript_id, change)
    _name_elsewhere(services, kept, before[-1].speakers)
    return kept


def _name_elsewhere(services: Services, named: KeptTranscript, before: Mapping[str, str]) -> None:
    """Gives new names to the same voices in the other transcripts; `before` are the old names."""
    own = read_voices(named.path)
    given = {
        label: name
        for label, name in named.corrections.speakers.items()
        if label in own and before.get(label) != name
    }
    if not given:
        return
    replaced = {name: before.get(label, "") for label, name in given.items()}
    with _correcting:
        for path in transcripts_folder(services).glob("*.json"):
            if path == named.path or not (voices := read_voices(path)):
                continue
            corrections = _read_corrections(path)
            found = same_voices(voices, [(name, own[label]) for label, name in given.items()])
            new = {
                label: name
                for label, name in found.items()
                if corrections.speakers.get(label, "") in ("", replaced[name])
            }
            if new:
                speakers = {**corrections.speakers, **new}
                _write_corrections(path, replace(corrections, speakers=speakers))


def named_voices(services: Services) -> Iterator[tuple[str, FloatArray]]:
    """The voices that somebody named in the kept transcripts, the newest first."""
    for path in sorted(transcripts_folder(services).glob("*.json"), reverse=True):
        voices = read_voices(path)
        for label, name in (_read_corrections(path).speakers if voices else {}).items():
            if label in voices:
                yield name, voices[label]


def _correct(
    services: Services, transcript_id: str, change: Callable[[KeptTranscript], Corrections]
) -> KeptTranscript:
    with _correcting:
        kept = get_transcript(services, transcript_id)
        _write_corrections(kept.path, change(kept))
        return _kept(kept.path)


def _write_corrections(transcript: Path, corrections: Corrections) -> None:
    path = _corrections_path(transcript)
    path.parent.mkdir(exist_ok=True)
    write_json(path, correcting.to_json(corrections))


def _corrections_path(transcript: Path) -> Path:
    return transcript.parent / "corrections" / transcript.name


def _read_corrections(transcript: Path) -> Corrections:
    """Those of a transcript; a file that is damaged is set aside."""
    path = _corrections_path(transcript)
    try:
        return correcting.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Corrections()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        aside = path.with_suffix(".json.damaged")
        path.replace(aside)
        logger.warning("%s could not be read (%s); kept as %s", path, error, aside.name)
        return Corrections()


def read_transcript(path: Path) -> Transcript:
    """The transcript in a JSON file that the studio wrote. Raises CorruptFileError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _from_json(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            _("The transcript cannot be read."),
            _("Transcribe the recording again."),
            details=f"{path}: {error!r}",
        ) from error


def export_transcript(services: Services, transcript_id: str, fmt: str) -> Path:
    """The transcript as a file of that format, ready to be downloaded."""
    kept = get_transcript(services, transcript_id)
    folder = services.exports_folder
    folder.mkdir(parents=True, exist_ok=True)
    return write_transcript(kept.transcript, fmt, folder / f"{kept.id}.{fmt}")


def delete_transcript(services: Services, transcript_id: str) -> str:
    """Moves a kept transcript to the trash, with its recording and corrections; returns the id to
    restore it by. Raises NotFoundError and DiskFullError."""
    kept = get_transcript(services, transcript_id)
    trash = DeletedTranscripts(services).trash
    entry_id = trash.add_files(kept.id, [kept.path, kept.path.with_suffix(_RECORDING)])
    place = trash.place_of(entry_id)
    for path, name in (
        (_corrections_path(kept.path), _CORRECTIONS_IN_TRASH),
        (voices_path(kept.path), _VOICES_IN_TRASH),
    ):
        if path.exists():
            path.replace(place / name)
    return entry_id


@dataclass(frozen=True)
class DeletedTranscripts:
    """The transcripts in the trash."""

    services: Services

    @property
    def trash(self) -> Trash:
        return Trash(transcripts_folder(self.services), "transcript")

    def restore(self, entry_id: str) -> KeptTranscript:
        """Brings a transcript back, under another name where its own was given away since.

        Raises NotFoundError, and CorruptFileError for one that cannot be read.
        """
        place = self.trash.place_of(entry_id)
        name = name_in(entry_id)
        target = unique_path(transcripts_folder(self.services), name, ".json")
        corrections = _corrections_path(target)
        voices = voices_path(target)
        for path in (corrections, voices):
            path.parent.mkdir(exist_ok=True)
        # The transcript itself comes last: what is listed is whole.
        moves = (
            (place / _CORRECTIONS_IN_TRASH, corrections),
            (place / _VOICES_IN_TRASH, voices),
            (place / f"{name}{_RECORDING}", target.with_suffix(_RECORDING)),
            (place / f"{name}.json", target),
        )
        for source, destination in moves:
            if source.exists():
                source.replace(destination)
        place.rmdir()
        return _kept(target)


def _from_json(content: dict[str, Any]) -> Transcript:
    segments = tuple(
        Segment(
            text=segment["text"],
            start_s=segment["start_s"],
            end_s=segment["end_s"],
            words=tuple(Word(**word) for word in segment.get("words", ())),
            speaker=segment.get("speaker"),
        )
        for segment in content["segments"]
    )
    notes = tuple(content.get("notes", ()))
    overlaps = tuple((float(start), float(end)) for start, end in content.get("overlaps", ()))
    return Transcript(**{**content, "segments": segments, "notes": notes, "overlaps": overlaps})


def keep_upload(services: Services, recording: Path) -> Path:
    """Copies a recording into the cache under the hash of its bytes, so that a job does not depend
    on the browser's upload; returns the copy."""
    if not recording.is_file():
        raise BadInputError(_("There is no recording yet."), _("Upload a file or record one."))
    folder = services.settings.cache_folder / "inbox"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with recording.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    suffix = recording.suffix.lower() if recording.suffix[1:].isalnum() else ""
    kept = folder / f"{digest.hexdigest()[:32]}{suffix}"
    if kept.exists():
        os.utime(kept)
    else:
        with atomic_path(kept) as partial:
            shutil.copyfile(recording, partial)
    return kept
