"""The inputs of a dataset: files, folders and archives, with their subtitles and metadata."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from modules.core_components.audio.decode import MEDIA_SUFFIXES
from modules.core_components.dataset.metadata import (
    SUFFIXES,
    MetadataRow,
    has_header,
    read_rows,
    share_found,
)
from modules.core_components.dataset.values import EVAL, TRAIN
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.library.archives import is_archive, unpack
from modules.core_components.progress import CancelToken
from modules.core_components.text.subtitles import Cue, read_cues
from modules.core_components.texts import _

SUBTITLE_SUFFIXES = (".srt", ".vtt")
# Folders next to a metadata file where its recordings are looked for first.
_RECORDING_FOLDERS = frozenset({"wavs", "wav", "audio", "audios", "clips"})
_LARGEST_METADATA_BYTES = 200 * 10**6
_LEAST_SHARE_FOUND = 0.5
_EVAL_NAMES = frozenset({"eval", "val", "valid", "validation", "dev", "test", "evaluation"})
_TRAIN_NAMES = frozenset({"train", "training"})
# What the studio and operating systems keep next to recordings.
_KNOWN_NAMES = frozenset({"lang.txt", "dataset.json", "project.json", "thumbs.db", "desktop.ini"})
_KNOWN_FOLDERS = frozenset({"sources", "edits", "__macosx"})
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
    """What was found, what could not be used, and files that are no recordings to begin with."""

    recordings: tuple[Recording, ...]
    refused: tuple[Refused, ...]
    unused: tuple[str, ...] = ()


class FileIndex:
    """Finds recordings under the names that metadata files give them.

    Those may be relative, absolute or of Windows, with another ending or none, in other cases, or
    without their folder.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        self._stems: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            file = _key(PurePosixPath(name).name)
            self._names[file].append(name)
            self._stems[_without_ending(file)].append(name)

    def find(self, place: str, folder: str = "") -> tuple[str, ...]:
        """The recording that a metadata file in `folder` calls `place`: none, one, or several that
        cannot be told apart."""
        parts = _parts(place)
        if not parts:
            return ()
        file = _key(parts[-1])
        found = self._names.get(file) or self._stems.get(file)
        if not found and file.endswith(MEDIA_SUFFIXES):
            found = self._stems.get(_without_ending(file))
        if not found or len(found) == 1:
            return tuple(found or ())
        ranked = sorted((_rank(name, parts, folder), name) for name in found)
        return tuple(name for rank, name in ranked if rank == ranked[0][0])

    def has(self, folder: str, place: str) -> bool:
        """Whether there is exactly one such recording."""
        return len(self.find(place, folder)) == 1


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _without_ending(file: str) -> str:
    ending = next((suffix for suffix in MEDIA_SUFFIXES if file.endswith(suffix)), "")
    return file.removesuffix(ending)


def _parts(place: str) -> list[str]:
    """The folders and the name in a path as any system writes it."""
    bare = place.strip().strip("\"'").strip()
    if bare.lower().startswith("file:"):
        bare = unquote(bare[5:])
    return [part for part in bare.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def _rank(name: str, parts: Sequence[str], folder: str) -> tuple[int, int, int, int]:
    """How far a recording is from the place that a metadata file in `folder` names; 0s are best."""
    path = PurePosixPath(name)
    here = path.parent.as_posix() if path.parent.as_posix() != "." else ""
    common = 0
    for given, own in zip(reversed(parts[:-1]), reversed(path.parts[:-1]), strict=False):
        if _key(given) != _key(own):
            break
        common += 1
    below = here.removeprefix(folder).strip("/") if here.startswith(folder) else None
    if below is None:
        nearness = 3
    elif below.lower() in _RECORDING_FOLDERS:
        nearness = 0
    else:
        nearness = 2 if below else 1
    other_ending = 0 if _key(path.name) in (_key(parts[-1]), _key(parts[-1]) + ".wav") else 1
    return -common, nearness, other_ending, 0 if path.name == parts[-1] else 1


def gather(
    inputs: Sequence[Path],
    names: Sequence[str],
    unpack_to: Path,
    cancel: CancelToken | None = None,
) -> Gathered:
    """The recordings in the inputs, each file once, in the order given (folders: by name).

    `names` are what people call the inputs, where a path does not say it. Archives are unpacked
    below `unpack_to`, which the caller removes. Never raises for a bad input: it is refused.
    Raises JobCancelled.
    """
    sorting = _Sorting()
    single: dict[str, Path] = {}
    for number, path in enumerate(inputs):
        name = names[number] if number < len(names) else path.name
        try:
            listing = _listing(path, name, unpack_to / f"{number:04d}", cancel)
        except StudioError as error:
            sorting.refused.append(Refused(name, error.message, error.hint))
            continue
        except OSError as error:
            reason = _("It cannot be read ({strerror}).", strerror=error.strerror or error)
            sorting.refused.append(Refused(name, reason))
            continue
        if listing is None:
            single[_free_name(name, single)] = path
        else:
            sorting.add_place(listing, f"{name}/")
    sorting.add_files(single)
    return Gathered(tuple(sorting.recordings), tuple(sorting.refused), tuple(sorting.unused))


def _listing(path: Path, name: str, unpack_to: Path, cancel: CancelToken | None) -> Listing | None:
    """The files of a folder or an archive; None for a single file.

    Of an archive only what may be used is unpacked; the rest has no content.
    """
    if path.is_dir():
        return _files_below(path)
    if path.is_file() and is_archive(name):
        others: dict[str, Path] = {}

        def wanted(member: str) -> bool:
            if _is_wanted(member) and not _is_known(member):
                return True
            others[member] = path
            return False

        members = unpack(path, unpack_to, wanted, called=_("It"), cancel=cancel)
        return {**members, **others}
    return None


def _files_below(folder: Path) -> Listing:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _is_wanted(name: str) -> bool:
    return name.lower().endswith((*MEDIA_SUFFIXES, *SUBTITLE_SUFFIXES, *SUFFIXES))


def _is_known(name: str) -> bool:
    """Whether it is a file that goes without saying."""
    path = PurePosixPath(name.lower())
    if path.name in _KNOWN_NAMES or path.name.startswith("."):
        return True
    return bool(_KNOWN_FOLDERS & set(path.parts[:-1])) and not path.name.endswith(MEDIA_SUFFIXES)


def _free_name(name: str, taken: Mapping[str, Path]) -> str:
    """Two files of one name from different folders stay two."""
    number, free = 2, name
    while free in taken:
        free = f"{number}/{name}"
        number += 1
    return free


@dataclass
class _Sorting:
    """Recordings put together with their subtitles and their rows."""

    recordings: list[Recording] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def add_place(self, listing: Listing, prefix: str) -> None:
        """What a folder or an archive holds."""
        index = FileIndex(name for name in listing if name.lower().endswith(MEDIA_SUFFIXES))
        used: dict[str, str] = {}
        for name, path in listing.items():
            if name.lower().endswith(SUFFIXES) and not _is_known(name):
                folder = PurePosixPath(name).parent.as_posix().removeprefix(".")
                if not self._add_metadata(name, path, folder, index, listing, prefix, used):
                    self.unused.append(prefix + name)
            elif not _is_wanted(name) and not _is_known(name):
                self.unused.append(prefix + name)
        self._add_recordings(listing, prefix, used)

    def add_files(self, single: Mapping[str, Path]) -> None:
        """Files that were given by themselves; each is taken for a recording by any ending."""
        used: dict[str, str] = {}
        listing = _with_subtitles(single)
        for name, path in single.items():
            if not name.lower().endswith(SUFFIXES):
                continue
            nearby = {f"{name}/{other}": file for other, file in _beside(path, name).items()}
            others = {other: file for other, file in single.items() if other != name}
            reachable = {**nearby, **others}
            index = FileIndex(reachable)
            used[name] = ""
            if not self._add_metadata(name, path, name, index, reachable, "", used):
                message = _("It is no metadata file of recordings that are there.")
                hint = _("Give it with its recordings; a row is file|text or file|text|speaker.")
                self.refused.append(Refused(name, message, hint))
        self._add_recordings(listing, "", used, tried=set(single))

    def _add_metadata(
        self,
        name: str,
        path: Path,
        folder: str,
        index: FileIndex,
        listing: Listing,
        prefix: str,
        used: dict[str, str],
    ) -> bool:
        """Adds the recordings that a file names, if it is a metadata file; else False."""
        try:
            content = path.read_bytes() if path.stat().st_size < _LARGEST_METADATA_BYTES else b""
        except OSError as error:
            reason = _("It cannot be read ({strerror}).", strerror=error.strerror or error)
            self.refused.append(Refused(prefix + name, reason))
            return True
        is_there = partial(index.has, folder)
        is_called_so = PurePosixPath(name).name.lower().startswith("metadata")
        is_metadata = is_called_so or has_header(content)
        if not is_metadata and share_found(content, name, is_there) < _LEAST_SHARE_FOUND:
            return False
        try:
            rows = read_rows(content, name, is_there)
        except BadInputError as error:
            self.refused.append(Refused(prefix + name, error.message, error.hint))
            return True
        for row in rows:
            self._add_row(row, name, folder, index, listing, prefix, used)
        return True

    def _add_row(
        self,
        row: MetadataRow,
        metadata: str,
        folder: str,
        index: FileIndex,
        listing: Listing,
        prefix: str,
        used: dict[str, str],
    ) -> None:
        where = _(
            "{prefix}{metadata}, line {line}", prefix=prefix, metadata=metadata, line=row.line
        )
        found = index.find(row.file, folder)
        if len(found) == 1 and found[0] in used:
            # Lists of one collection name a recording more than once.
            if used[found[0]] != row.text:
                message = _("{found} is named twice.", found=found[0])
                self.refused.append(Refused(where, message, _("Keep one of the rows.")))
            return
        if len(found) == 1:
            used[found[0]] = row.text
        if row.problem:
            self.refused.append(Refused(where, row.problem, _("Correct or remove the row.")))
        elif not found:
            message = _("There is no file {file}.", file=row.file)
            self.refused.append(Refused(where, message, _("Add it or remove the row.")))
        elif len(found) > 1:
            message = _("{file} may be {found}.", file=row.file, found=_(" or ").join(found[:3]))
            self.refused.append(Refused(where, message, _("Name it with its folder.")))
        else:
            recording = Recording(
                listing[found[0]], prefix + found[0], row=_with_subset(row, metadata)
            )
            self.recordings.append(recording)

    def _add_recordings(
        self,
        listing: Listing,
        prefix: str,
        used: Mapping[str, str],
        tried: Iterable[str] = (),
    ) -> None:
        """The recordings that no metadata file names; `tried` are taken for such by any suffix."""
        subtitles = {name for name in listing if name.lower().endswith(SUBTITLE_SUFFIXES)}
        matched: set[str] = set()
        for name, path in listing.items():
            media = name.lower().endswith(MEDIA_SUFFIXES) or name in tried
            if name in used or name in subtitles or not media:
                continue
            matching = [text for text in sorted(subtitles) if _belongs_to(text, name)]
            matched.update(matching)
            try:
                cues = read_cues(listing[matching[0]].read_bytes(), matching[0]) if matching else ()
            except StudioError as error:
                self.refused.append(Refused(prefix + matching[0], error.message, error.hint))
                continue
            self.recordings.append(Recording(path, prefix + name, cues))
        self.refused += [
            Refused(
                prefix + name,
                _("These subtitles have no recording."),
                _("Give the recording or video too, under the same name."),
            )
            for name in sorted(subtitles - matched)
        ]


def _beside(path: Path, name: str) -> Listing:
    """The recordings below the folder of a metadata file that lies where it was made."""
    if not path.is_file() or path.name != PurePosixPath(name).name:
        return {}
    content = path.read_bytes() if path.stat().st_size < _LARGEST_METADATA_BYTES else b""
    has_fields = b"|" in content or b"\t" in content or path.suffix.lower() != ".txt"
    if not (path.name.lower().startswith("metadata") or has_fields):
        return {}
    files = _files_below(path.parent)
    return {place: file for place, file in files.items() if place.lower().endswith(MEDIA_SUFFIXES)}


def _with_subset(row: MetadataRow, metadata: str) -> MetadataRow:
    """The row with `subset` as datasets call it, which may be said by the name of its file."""
    words = {row.subset, *PurePosixPath(metadata).stem.lower().replace("-", "_").split("_")}
    if row.subset:
        words = {row.subset}
    subset = EVAL if words & _EVAL_NAMES else TRAIN if words & _TRAIN_NAMES else ""
    return MetadataRow(row.line, row.file, row.text, row.speaker, subset)


def _with_subtitles(single: Mapping[str, Path]) -> Listing:
    """The files with the subtitles next to them under the same name."""
    found = dict(single)
    for name, path in single.items():
        for suffix in SUBTITLE_SUFFIXES:
            subtitles = path.with_suffix(suffix)
            if subtitles != path and subtitles.is_file():
                found.setdefault(str(PurePosixPath(name).with_suffix(suffix)), subtitles)
    return found


def _belongs_to(subtitle: str, media: str) -> bool:
    """ "talk.srt" and "talk.en.srt" belong to "talk.mp4"."""
    stem = str(PurePosixPath(media).with_suffix(""))
    bare = str(PurePosixPath(subtitle).with_suffix(""))
    return bare == stem or str(PurePosixPath(bare).with_suffix("")) == stem
