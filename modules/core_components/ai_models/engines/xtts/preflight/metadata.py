"""Reading a metadata file line by line, so that a broken row is found and not misread.

The trainer reads the file with Python's csv module (coqui-tts 0.28, the formatter "coqui"): there a
quotation mark at the start of a text joins lines, a `|` cuts the text short, and a line break turns
one row into two. None of this is an error to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modules.core_components.ai_models.engines.xtts.preflight.checks import RejectedRow
from modules.core_components.errors import CorruptFileError

SEPARATOR = "|"
AUDIO, TEXT = "audio_file", "text"
_REMEDY = "Build or import the dataset again on the Dataset tab; it writes these files."


@dataclass(frozen=True)
class MetadataRow:
    """`audio_file` is relative to the dataset's folder, as "wavs/x.wav"."""

    audio_file: str
    text: str

    @property
    def clip_id(self) -> str:
        return Path(self.audio_file).stem


def read_metadata(file: Path) -> tuple[tuple[MetadataRow, ...], tuple[RejectedRow, ...]]:
    """The rows of a metadata file, and the lines that are none.

    Raises CorruptFileError for a file that is missing or has no header.
    """
    try:
        header, *lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"{file.name} cannot be read ({error}).", _REMEDY) from error
    columns = header.strip().split(SEPARATOR)
    if AUDIO not in columns or TEXT not in columns:
        raise CorruptFileError(f"{file.name} has no header with {AUDIO} and {TEXT}.", _REMEDY)
    rows, rejected = [], []
    for line in lines:
        line = line.rstrip("\r")
        if not line:
            continue
        cells = line.split(SEPARATOR)
        reason = _what_is_wrong(cells, len(columns))
        row = dict(zip(columns, cells, strict=False))
        if reason:
            clip_id = Path(row[AUDIO]).stem if cells[0].endswith(".wav") else ""
            rejected.append(RejectedRow(clip_id, line, reason))
        else:
            rows.append(MetadataRow(row[AUDIO], row[TEXT]))
    return tuple(rows), tuple(rejected)


def _what_is_wrong(cells: list[str], columns: int) -> str:
    if len(cells) > columns:
        return f"its text has a {SEPARATOR} in it, which ends the text there"
    if len(cells) < columns:
        return "it was broken by a line break in its text"
    if any(cell.startswith('"') for cell in cells):
        return "its text begins with a quotation mark, which joins it with the next row"
    return ""
