"""The inputs of a dataset: files, folders and archives, with their subtitles and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from modules.core_components.audio.files import RAW_FORMATS
from modules.core_components.dataset.values import EVAL, TRAIN
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.library.archives import is_archive, unpack
from modules.core_components.text.subtitles import Cue, read_cues

_LJSPEECH_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")


@dataclass(frozen=True)
class MetadataRow:
    """What a metadata file says of one recording.

    `places` are where the recording may lie, seen from the file; `subset` is "" where the file
    does not say it; `line` counts from 1.
    """

    line: int
    places: tuple[str, ...]
    text: str
    speaker: str = ""
    subset: str = ""


def is_metadata(name: str, path: Path) -> bool:
    """Whether a file among others is one: metadata.csv, or a .csv with coqui's header."""
    file_name = PurePosixPath(name).name.lower()
    if not file_name.endswith(".csv"):
        return False
    return file_name == "metadata.csv" or _is_coqui(_first_line(path))


def read_metadata(path: Path, name: str) -> tuple[MetadataRow, ...]:
    """The rows in order; one without a text or a file has it empty.

    Raises BadInputError for an empty file, one that is not UTF-8, and one without `|`.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{name} cannot be read ({error}).", "Save it as UTF-8.") from error
    if not any("|" in line for line in lines):
        raise BadInputError(
            f"{name} holds no rows.", "It needs rows of file|text, as LJSpeech or coqui have them."
        )
    if _is_coqui(lines[0]):
        return _coqui_rows(lines, _subset_of(name))
    return tuple(
        _ljspeech_row(number, line.split("|"))
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )


def _coqui_rows(lines: list[str], subset: str) -> tuple[MetadataRow, ...]:
    columns = lines[0].strip().split("|")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("|")
        if len(fields) != len(columns):  # a | in the text: it is not known where it belongs
            rows.append(MetadataRow(number, (), ""))
            continue
        row = dict(zip(columns, map(str.strip, fields), strict=True))
        place = _plain(row["audio_file"])
        rows.append(MetadataRow(number, (place,), row["text"], row.get("speaker_name", ""), subset))
    return tuple(rows)


def _ljspeech_row(number: int, fields: list[str]) -> MetadataRow:
    """`id|text as written|text as said`; what is said is what is trained."""
    place = _plain(fields[0])
    said = [field.strip() for field in fields[1:] if field.strip()]
    names = [place] if place.lower().endswith(_LJSPEECH_SUFFIXES) else []
    names += [f"{place}{suffix}" for suffix in _LJSPEECH_SUFFIXES]
    places = [f"{folder}{file}" for folder in ("wavs/", "") for file in names]
    return MetadataRow(number, tuple(places), said[-1] if said else "")


def _plain(place: str) -> str:
    return PurePosixPath(place.strip().replace("\\", "/")).as_posix()


def _subset_of(name: str) -> str:
    stem = PurePosixPath(name).stem.lower()
    if "eval" in stem or "val" in stem.split("_"):
        return EVAL
    return TRAIN if "train" in stem else ""


def _is_coqui(line: str) -> bool:
    return {"audio_file", "text"} <= set(line.strip().lstrip("\ufeff").split("|"))


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(10_000)


SUBTITLE_SUFFIXES = (".srt", ".vtt")
MEDIA_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aiff", ".aif"),
    *(".au", ".caf", ".w64", ".amr", ".ape", ".tta", ".wv", ".ac3", *RAW_FORMATS),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".ts"),
    *(".3gp", ".ogv"),
)
# Files of one place by the names they have there, such as "chapter 1/take 3.wav".
Listing = Mapping[str, Path]


@dataclass(frozen=True)
class Recording:
    """A recording to be cut; `cues` are its subtitles, `row` what a metadata file says of it."""

    path: Path
    name: str
    cues: tuple[Cue, ...] = ()
    row: MetadataRow | None = None

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0


@dataclass(frozen=True)
class Refused:
    """Something that could not be used, why, and what to do."""

    name: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Gathered:
    """What was found, and what could not be used."""

    recordings: tuple[Recording, ...]
    refused: tuple[Refused, ...]


def gather(inputs: Sequence[Path], names: Sequence[str], unpack_to: Path) -> Gathered:
    """The recordings in the inputs, each file once, in the order given (folders: by name).

    `names` are what people call the inputs, where a path does not say it. Archives are unpacked
    below `unpack_to`, which the caller removes. Never raises for a bad input: it is refused.
    """
    recordings: list[Recording] = []
    refused: list[Refused] = []
    single: dict[str, Path] = {}
    for number, path in enumerate(inputs):
        name = names[number] if number < len(names) else path.name
        try:
            listing = _listing(path, name, unpack_to / f"{number:04d}")
        except StudioError as error:
            refused.append(Refused(name, error.message, error.hint))
            continue
        except OSError as error:
            refused.append(Refused(name, f"It cannot be read ({error.strerror or error})."))
            continue
        if listing is None:
            single[_free_name(name, single)] = path
        else:
            _sort_out(listing, f"{name}/", recordings, refused)
    _sort_out(_with_subtitles(single), "", recordings, refused, tried=set(single))
    return Gathered(tuple(recordings), tuple(refused))


def _listing(path: Path, name: str, unpack_to: Path) -> Listing | None:
    """The files of a folder, an archive, or next to a metadata file; None for a single file."""
    if path.is_dir():
        return _files_below(path)
    if path.is_file() and is_archive(name):
        return unpack(path, unpack_to, _is_wanted)
    if path.is_file() and PurePosixPath(name).suffix.lower() == ".csv":
        rows = read_metadata(path, name)
        named = {place for row in rows for place in row.places}
        files = _files_below(path.parent)
        return {name: path, **{place: files[place] for place in sorted(named & files.keys())}}
    return None


def _files_below(folder: Path) -> Listing:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and _is_wanted(path.name)
    }


def _is_wanted(name: str) -> bool:
    return name.lower().endswith((*MEDIA_SUFFIXES, *SUBTITLE_SUFFIXES, ".csv"))


def _free_name(name: str, taken: Mapping[str, Path]) -> str:
    """Two files of one name from different folders stay two."""
    number, free = 2, name
    while free in taken:
        free = f"{number}/{name}"
        number += 1
    return free


def _with_subtitles(single: Mapping[str, Path]) -> Listing:
    """The files with the subtitles next to them under the same name."""
    found = dict(single)
    for name, path in single.items():
        for suffix in SUBTITLE_SUFFIXES:
            subtitles = path.with_suffix(suffix)
            if subtitles != path and subtitles.is_file():
                found.setdefault(str(PurePosixPath(name).with_suffix(suffix)), subtitles)
    return found


def _sort_out(
    listing: Listing,
    prefix: str,
    recordings: list[Recording],
    refused: list[Refused],
    tried: Iterable[str] = (),
) -> None:
    """Adds what a listing holds; `tried` are names to be taken for recordings by any suffix."""
    used: set[str] = set()
    for name in listing:
        if is_metadata(name, listing[name]):
            used.add(name)
            _add_rows(listing, name, prefix, used, recordings, refused)
    subtitles = {name for name in listing if name.lower().endswith(SUBTITLE_SUFFIXES)}
    for name, path in listing.items():
        media = name.lower().endswith(MEDIA_SUFFIXES) or name in tried
        if name in used or name in subtitles or not media:
            continue
        matching = [text for text in sorted(subtitles) if _belongs_to(text, name)]
        used.update(matching)
        try:
            cues = read_cues(listing[matching[0]].read_bytes(), matching[0]) if matching else ()
        except StudioError as error:
            refused.append(Refused(prefix + matching[0], error.message, error.hint))
            continue
        recordings.append(Recording(path, prefix + name, cues))
    refused += [
        Refused(
            prefix + name,
            "These subtitles have no recording.",
            "Give the recording or video too, under the same name.",
        )
        for name in sorted(subtitles - used)
    ]


def _belongs_to(subtitle: str, media: str) -> bool:
    """ "talk.srt" and "talk.en.srt" belong to "talk.mp4"."""
    stem = str(PurePosixPath(media).with_suffix(""))
    bare = str(PurePosixPath(subtitle).with_suffix(""))
    return bare == stem or str(PurePosixPath(bare).with_suffix("")) == stem


def _add_rows(
    listing: Listing,
    metadata: str,
    prefix: str,
    used: set[str],
    recordings: list[Recording],
    refused: list[Refused],
) -> None:
    """The recordings that a metadata file names, relative to where it lies."""
    try:
        rows = read_metadata(listing[metadata], metadata)
    except StudioError as error:
        refused.append(Refused(prefix + metadata, error.message, error.hint))
        return
    folder = PurePosixPath(metadata).parent
    for row in rows:
        places = [str(folder / place) for place in row.places]
        found = next((place for place in places if place in listing), None)
        where = f"{prefix}{metadata}, line {row.line}"
        if found is not None and found in used:
            refused.append(Refused(where, f"{found} is named twice.", "Keep one of the rows."))
            continue
        used.update([found] if found else [])
        if not row.text or not places:
            message = "The row has no text, no file, or a | too many."
            refused.append(Refused(where, message, "Correct or remove the row."))
        elif found is None:
            message = f"There is no file {places[0]}."
            refused.append(Refused(where, message, "Add it or remove the row."))
        else:
            recordings.append(Recording(listing[found], prefix + found, row=row))
