"""Transcribing many recordings: each is an item of work, on this machine or on several.

In the folder of the texts lies `.results`, with the whole transcript of each recording. What is in
it is not transcribed again, unless the recording or what is wanted of it has changed.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from modules.core_components.atomic import check_writable, write_bytes
from modules.core_components.audio.decode import MEDIA_SUFFIXES
from modules.core_components.buckets import StoredFile, fetched, find_files, is_address
from modules.core_components.errors import BadInputError
from modules.core_components.library.names import safe_stem
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.subtitles import FORMATS, render
from modules.core_components.texts import _, ngettext
from modules.core_components.values import Transcript
from modules.tools.listening.transcribe import (
    TranscribeRequest,
    complete_transcription,
    read_completed,
    transcribe_file,
)
from modules.tools.listening.transcripts import read_transcript, write_transcript
from modules.tools.services import Services
from modules.tools.work.executor import (
    Executor,
    Failure,
    Inputs,
    Work,
    Worker,
    WorkItem,
    file_facts,
    item_id,
    own_folder,
)

RESULTS_FOLDER = ".results"
# A file of this machine, or of a bucket.
Recording = Path | StoredFile
# A name that every system takes as one file of a folder, and that is not hidden.
_PLAIN = re.compile(r"[^.<>:\"/\\|?*\x00-\x1f][^<>:\"/\\|?*\x00-\x1f]{0,200}")
_OPENER = f"{__name__}:open_transcriber"


@dataclass(frozen=True)
class Transcribed:
    """A recording, the text that was written, and whether it was there before."""

    recording: Recording
    written: Path
    result: Path
    was_there: bool

    def transcript(self) -> Transcript:
        """Raises CorruptFileError."""
        return read_transcript(self.result)


@dataclass(frozen=True)
class Batch:
    """What became of the recordings, in their order."""

    transcribed: tuple[Transcribed, ...]
    failures: tuple[Failure, ...]


def find_recordings(places: Iterable[Path | str]) -> tuple[tuple[Recording, Path], ...]:
    """Each recording with its place below the folder of the texts, sorted within each folder.

    Files are taken as they are, folders and buckets with all recordings and videos below them; a
    text is an address (see `buckets`) or a path. Raises BadInputError for a folder without any,
    and as `find_files`.
    """
    found: list[tuple[Recording, Path]] = []
    for named in places:
        if isinstance(named, str) and is_address(named):
            stored = find_files(named, MEDIA_SUFFIXES)
            if not stored:
                raise BadInputError(
                    _("There is no recording in {named}.", named=named), _("Name another place.")
                )
            found += [(one, _checked(one.place)) for one in stored]
            continue
        place = Path(named)
        if not place.is_dir():
            found.append((place, Path(place.name)))
            continue
        inside = sorted(
            path
            for path in place.rglob("*")
            if path.suffix.lower() in MEDIA_SUFFIXES and path.is_file()
        )
        if not inside:
            raise BadInputError(
                _("There is no recording in {place}.", place=place), _("Name another folder.")
            )
        found += [(path, path.relative_to(place)) for path in inside]
    return tuple(found)


def transcribe_many(
    services: Services,
    executor: Executor,
    recordings: Sequence[tuple[Recording, Path]],
    request: TranscribeRequest,
    fmt: str,
    out: Path,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Batch:
    """Writes the text of each recording (as `find_recordings` gives them) below `out`.

    `request` says how; its path is not looked at. Raises BadInputError, NotWritableError,
    JobCancelled (what is done is kept), and what `Executor.run` raises.
    """
    if fmt not in FORMATS:
        raise BadInputError(
            _("Unknown format {fmt!r}.", fmt=fmt),
            _("Choose {formats}.", formats=", ".join(FORMATS)),
        )
    results = out.absolute() / RESULTS_FOLDER
    check_writable(results, _("Choose another folder, or make this one writable."))
    completed = complete_transcription(services, request)
    setup = {**asdict(completed), "path": ""}
    wanted = json.dumps(setup, sort_keys=True, default=str)
    items: list[WorkItem] = []
    sources: dict[Path, Recording] = {}
    targets: dict[Path, Path] = {}
    texts = _targets(recordings, fmt, out.absolute())
    for (recording, _unused), text in zip(recordings, texts, strict=True):
        if isinstance(recording, StoredFile):
            where, facts = recording.address, recording.facts
        else:
            where, facts = str(recording.absolute()), file_facts(recording)
        name = item_id(f"{facts}\n{text.with_suffix('')}\n{wanted}")
        result = results / f"{name}.json"
        sources[result], targets[result] = recording, text
        inputs = {"path": where, "text": str(text)}
        items.append(WorkItem(str(recording), inputs, result))
    title = ngettext("Transcribe {count} recordings", "Transcribe {count} recordings", len(items))
    work = Work(_OPENER, {**setup, "format": fmt}, tuple(items), (completed.model_id,), title)
    outcome = executor.run(work, progress, cancel)
    for item in outcome.skipped:
        if not targets[item.result].is_file():  # another format than before, or deleted since
            write_transcript(read_transcript(item.result), fmt, _prepared(targets[item.result]))
    before = {item.result for item in outcome.skipped}
    failed = {failure.item.result for failure in outcome.failures}
    transcribed = tuple(
        Transcribed(sources[item.result], targets[item.result], item.result, item.result in before)
        for item in items
        if item.result not in failed
    )
    return Batch(transcribed, outcome.failures)


def open_transcriber(services: Services, setup: Mapping[str, Any]) -> Worker:
    """The worker that transcribes a recording and writes its text and its transcript."""
    about = dict(setup)
    fmt = about.pop("format")
    request = read_completed(services, about)

    def transcribe_one(
        inputs: Inputs, result: Path, progress: Progress, cancel: CancelToken
    ) -> None:
        with _local(services, inputs["path"], cancel) as (recording, called):
            transcript = transcribe_file(services, request, recording, progress, cancel, called)
        write_transcript(transcript, fmt, _prepared(Path(inputs["text"])))
        # Last: it says that all is done.
        write_bytes(_prepared(result), render(transcript, "json").encode("utf-8"))

    return transcribe_one


@contextlib.contextmanager
def _local(services: Services, place: str, cancel: CancelToken) -> Iterator[tuple[Path, str]]:
    """The file of a recording, and what messages call it; one of a bucket is fetched first."""
    if not is_address(place):
        yield Path(place), ""
        return
    name = PurePosixPath(place).name
    suffix = next((one for one in MEDIA_SUFFIXES if name.lower().endswith(one)), "")
    with (
        own_folder(services.settings.cache_folder / "work", "fetched-") as folder,
        fetched(place, folder / f"recording{suffix}", cancel) as path,
    ):
        yield path, name


def _checked(place: PurePosixPath) -> Path:
    """A path below the folder of the texts for a name in a bucket, which may be any: ../x, C:x."""
    parts = (part for part in place.parts if part not in ("/", ".", ".."))
    return Path(*(part if _PLAIN.fullmatch(part) else safe_stem(part) for part in parts))


def _prepared(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _targets(recordings: Sequence[tuple[Recording, Path]], fmt: str, out: Path) -> list[Path]:
    """Where each text goes; recordings of one name from different folders do not share a file."""
    taken: dict[Path, int] = {}
    targets = []
    for _unused, place in recordings:
        stem = place.with_suffix("")
        taken[stem] = number = taken.get(stem, 0) + 1
        name = stem if number == 1 else stem.with_name(f"{stem.name}-{number}")
        targets.append(out / f"{name}.{fmt}")
    return targets
