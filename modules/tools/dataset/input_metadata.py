"""Reading the rows of other datasets: LJSpeech's metadata.csv and coqui's with a header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from modules.core_components.dataset.values import EVAL, TRAIN
from modules.core_components.errors import BadInputError

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
        if len(fields) != len(columns):  # a | in the text: nobody can tell where it belongs
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
