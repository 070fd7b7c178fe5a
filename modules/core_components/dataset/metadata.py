"""Metadata files of datasets: which column holds the file, the text and the speaker.

Files differ in delimiter and columns, and most have no header, so the columns are recognized by
what they hold; a file whose columns cannot be recognized is refused. pandas reads the tables; a
single line, and a file that pandas takes for broken, is parted by the csv module, field by field:
a table for each line would take seconds, and its parser gives up where a quotation mark is none.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations

from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import is_spaceless_character, language_name
from modules.core_components.text.lines import split_lines
from modules.core_components.texts import _

SUFFIXES = (".csv", ".tsv", ".psv", ".txt", ".list", ".lst", ".jsonl")
DELIMITERS = ("|", "\t", ";", ",")
_FILE, _TEXT, _NORMALIZED, _SPEAKER, _SUBSET = "file", "text", "normalized", "speaker", "subset"
_NAMES: Mapping[str, tuple[str, ...]] = {
    _FILE: (
        *("audio_file", "file", "file_name", "filename", "path", "audio", "audio_path", "wav"),
        *("wav_file", "wav_filename", "wav_path", "audio_filepath", "audio_filename", "clip", "id"),
        *("file_id", "file_path", "filepath", "utterance_id", "utt_id", "recording"),
    ),
    _TEXT: (
        *("text", "sentence", "transcript", "transcription", "transcripts", "raw_text", "caption"),
        *("raw_transcription", "raw_transcript", "utterance", "words"),
    ),
    _NORMALIZED: (
        *("normalized_text", "normalised_text", "normalized_transcription", "normalized"),
        *("normalised_transcription", "normalised", "normalized_transcript", "text_normalized"),
        *("clean_text", "text_clean"),
    ),
    _SPEAKER: (
        *("speaker_name", "speaker", "speaker_id", "client_id", "spk", "spk_id", "voice", "sid"),
        *("speakers", "reader", "reader_id"),
    ),
    _SUBSET: ("subset", "split", "partition"),
}
_MOST_LABEL_WORDS, _MOST_LABEL_CHARACTERS = 3, 40
_MOST_LABEL_SIGNS = 6  # of a script without spaces
_CODE = re.compile(r"([a-z]{2}|[A-Z]{2})([-_][A-Za-z]{2,4})?")
_SENTENCE_MARKS = tuple(".?!…,;:。！？、，；：।")
_SIMILAR = 0.5
_COMPARED = 100
_LOOKED_AT = 500  # rows by which the columns are recognized
_MOST_FIELDS = 64  # of a row; what is beyond is one field
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_HEADER_EXAMPLE = "audio_file|text|speaker_name"

# Whether a recording is there under a name that a row gives.
Finder = Callable[[str], bool]


@dataclass(frozen=True)
class MetadataRow:
    """What a metadata file says of one recording.

    `file` is its place as it is written there; `line` counts from 1. `problem` says why the row
    cannot be used, which then has no text.
    """

    line: int
    file: str
    text: str
    speaker: str = ""
    subset: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Record:
    line: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class _Columns:
    """Where things stand in a row; None where the file does not have them."""

    file: int
    text: int
    normalized: int | None = None
    speaker: int | None = None
    subset: int | None = None


def decode_metadata(content: bytes, name: str) -> str:
    """The text of a metadata file: UTF-8, or UTF-16 with its mark. Raises BadInputError."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(
            _("{name} cannot be read ({error}).", name=name, error=error), _("Save it as UTF-8.")
        ) from error


def has_header(content: bytes) -> bool:
    """Whether the first line names a column of files and one of texts, as coqui's does."""
    first = next(iter(split_lines(content.decode("utf-8-sig", errors="replace"))), "")
    return any(_header_columns(_fields(first, mark)) is not None for mark in DELIMITERS)


def read_rows(content: bytes, name: str, is_there: Finder) -> tuple[MetadataRow, ...]:
    """The rows of a metadata file in order; one that cannot be used has a `problem`.

    With a header the columns are those it names. Without one: the first column is the file, or
    another that names more files that are there. Of the rest, a column of short values that are
    no sentences is a speaker or a language; what remains is the text. Two columns of much the same
    text are LJSpeech's: the second, as it is said, is taken.

    Raises BadInputError for a file that is not UTF-8, holds no rows, or whose columns cannot be
    told apart.
    """
    text = decode_metadata(content, name)
    lines = split_lines(text)
    if name.lower().endswith(".jsonl"):
        return _json_rows(lines, name)
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not filled:
        raise BadInputError(
            _("{name} holds no rows.", name=name),
            _("It needs rows such as {header_example}.", header_example=_HEADER_EXAMPLE),
        )
    for known in DELIMITERS:
        columns = _header_columns(_fields(filled[0][1], known))
        if columns is not None:
            records = _records(text, filled, known)
            width = len(records[0].fields)
            return tuple(_row(record, columns, width, known) for record in records[1:])
    mark = _delimiter(filled, is_there)
    if mark is None:
        raise BadInputError(
            _("{name} holds no rows.", name=name),
            _(
                "It needs rows such as {header_example}, or id|text.",
                header_example=_HEADER_EXAMPLE,
            ),
        )
    return _rows_by_content(_records(text, filled, mark), mark, name, is_there)


def share_found(content: bytes, name: str, is_there: Finder) -> float:
    """The share of the first rows whose recording is there; 0 for what is no metadata."""
    try:
        rows = read_rows(content, name, is_there)[:_LOOKED_AT]
    except BadInputError:
        return 0.0
    return sum(is_there(row.file) for row in rows) / len(rows) if rows else 0.0


def _json_rows(lines: Sequence[str], name: str) -> tuple[MetadataRow, ...]:
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            rows.append(MetadataRow(number, "", "", problem=_("The line is no JSON object.")))
            continue
        columns = _header_columns(list(record))
        if columns is None:
            raise BadInputError(
                _("{name}, line {number}, names no file or no text.", name=name, number=number),
                _('It needs lines such as {"file_name": "a.wav", "text": "..."}.'),
            )
        fields = tuple("" if value is None else str(value) for value in record.values())
        rows.append(_row(_Record(number, fields), columns, len(fields), ""))
    return tuple(rows)


def _fields(line: str, mark: str) -> list[str]:
    if mark == "|":  # programs that write | do not quote
        return [field.strip() for field in line.split(mark)]
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=mark), [])]
    except csv.Error:
        return [field.strip() for field in line.split(mark)]


def _records(text: str, filled: Sequence[tuple[int, str]], mark: str) -> list[_Record]:
    if mark == " ":
        pairs = ((number, line.split(maxsplit=1)) for number, line in filled)
        return [_Record(number, tuple(map(str.strip, parts))) for number, parts in pairs]
    records = _read_by_pandas(text, mark)
    if records is None:
        records = [_Record(number, tuple(_fields(line, mark))) for number, line in filled]
    return records


def _read_by_pandas(text: str, mark: str) -> list[_Record] | None:
    """The records of a table, where a field in quotes may go on over several lines if commas or
    semicolons part them. None where a quotation mark was none: a record then has other fields than
    the first, or swallows lines that are no part of it.

    pandas' engine in Python tells a field that is missing from one that is empty, and knows no
    line numbers: they follow from the line breaks within the fields.
    """
    import pandas as pd

    width = min(max(line.count(mark) for line in split_lines(text)) + 1, _MOST_FIELDS)
    try:
        table = pd.read_csv(
            io.StringIO(text, newline=""),
            sep=mark,
            header=None,
            index_col=False,
            names=range(width),
            dtype=object,
            keep_default_na=False,
            skip_blank_lines=False,
            quoting=csv.QUOTE_NONE if mark == "|" else csv.QUOTE_MINIMAL,
            engine="python",
            on_bad_lines=lambda fields: [*fields[: width - 1], mark.join(fields[width - 1 :])],
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error, ValueError):
        return None
    records: list[_Record] = []
    begin = 1
    for values in table.itertuples(index=False, name=None):
        fields = tuple(value for value in values if isinstance(value, str))
        within = sum(len(_LINE_BREAK.findall(field)) for field in fields)
        if any(field.strip() for field in fields):
            records.append(_Record(begin, tuple(field.strip() for field in fields)))
            if within and (mark not in ",;" or len(fields) != len(records[0].fields)):
                return None
        begin += 1 + within
    return records or None


def _header_columns(fields: Sequence[str]) -> _Columns | None:
    names = [re.sub(r"[\s-]+", "_", field.strip().strip('"').casefold()) for field in fields]
    places: dict[str, int] = {}
    for role, known in _NAMES.items():
        found = [(known.index(name), index) for index, name in enumerate(names) if name in known]
        if found:
            places[role] = min(found)[1]
    text = places.get(_TEXT, places.get(_NORMALIZED))
    if _FILE not in places or text is None:
        return None
    return _Columns(
        places[_FILE], text, places.get(_NORMALIZED), places.get(_SPEAKER), places.get(_SUBSET)
    )


def _delimiter(filled: Sequence[tuple[int, str]], is_there: Finder) -> str | None:
    """The mark that parts most rows into a recording that is there and something else."""
    looked_at = [line for _unused, line in filled[:_LOOKED_AT]]
    found = {}
    for mark in (*DELIMITERS, " "):
        parts = [line.split(mark) for line in looked_at if mark in line.strip()]
        where = slice(1) if mark == " " else slice(None)
        found[mark] = sum(any(is_there(field.strip(' \t"')) for field in p[where]) for p in parts)
    best = max(found, key=lambda mark: found[mark])
    if found[best]:
        return best
    return next((mark for mark in DELIMITERS if any(mark in line for line in looked_at)), None)


def _rows_by_content(
    records: Sequence[_Record], mark: str, name: str, is_there: Finder
) -> tuple[MetadataRow, ...]:
    counted = Counter(len(record.fields) for record in records if len(record.fields) > 1)
    if not counted:
        raise BadInputError(
            _("{name} holds no rows.", name=name),
            _(
                "It needs rows such as {header_example}, or id|text.",
                header_example=_HEADER_EXAMPLE,
            ),
        )
    width = max(counted, key=lambda size: (counted[size], size))
    typical = [record.fields for record in records if len(record.fields) == width][:_LOOKED_AT]
    file = _file_column(typical, is_there)
    columns = _columns_by_content(typical, file, name)
    if mark in ",;" and len(counted) > 1 and max(counted) > width:
        raise BadInputError(
            _(
                "{name} has rows of {fewest} to {most} fields, so that it cannot "
                "be seen where a text ends.",
                name=name,
                fewest=min(counted),
                most=max(counted),
            ),
            _(
                "Put texts that hold a {mark} in double quotes, or part the fields with |.",
                mark=mark,
            ),
        )
    return tuple(_row(record, columns, width, mark) for record in records)


def _file_column(rows: Sequence[Sequence[str]], is_there: Finder) -> int:
    found = [sum(is_there(row[index]) for row in rows) for index in range(len(rows[0]))]
    return found.index(max(found))


def _columns_by_content(rows: Sequence[Sequence[str]], file: int, name: str) -> _Columns:
    """The text and the speaker among the columns other than `file`. Raises BadInputError."""
    values = {
        index: [row[index] for row in rows]
        for index in range(len(rows[0]))
        if index != file and any(row[index] for row in rows)
    }
    if not values:
        raise BadInputError(
            _("{name} holds no texts.", name=name),
            _("It needs rows such as {header_example}.", header_example=_HEADER_EXAMPLE),
        )
    labels = [index for index, column in values.items() if _is_label(column)]
    texts = [index for index in values if index not in labels]
    for first, second in combinations(values, 2):
        if texts and first not in texts and second not in texts:
            continue
        both_texts = first in texts and second in texts
        if _are_alike(values[first], values[second], both_texts):
            rest = [index for index in values if index not in (first, second)]
            if not set(rest) & set(texts):
                return _Columns(file, first, second, _speaker(values, rest))
    if not texts:
        texts = _most_varied(values)
    if len(texts) != 1:
        raise BadInputError(
            _("In {name} it cannot be seen which column holds the text.", name=name),
            _(
                "Give it a first line that names the columns, such as {header_example}.",
                header_example=_HEADER_EXAMPLE,
            ),
        )
    (text,) = texts
    return _Columns(file, text, None, _speaker(values, [i for i in values if i != text]))


def _is_label(column: Sequence[str]) -> bool:
    """Whether these are names, numbers or codes rather than texts."""
    return all(
        len(value.split()) <= _MOST_LABEL_WORDS
        and len(value) <= _MOST_LABEL_CHARACTERS
        and not value.endswith(_SENTENCE_MARKS)
        and sum(map(is_spaceless_character, value)) <= _MOST_LABEL_SIGNS
        for value in column
    )


def _are_alike(first: Sequence[str], second: Sequence[str], both_texts: bool) -> bool:
    """Whether the second column says the same as the first, as LJSpeech's third does."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a and b]
    # What is written with digits is said otherwise.
    plain = [(a, b) for a, b in pairs if not any(map(str.isdigit, a))][:_COMPARED]
    if not plain and both_texts:
        return bool(pairs)
    plain = plain or pairs[:_COMPARED]
    if not plain:
        return False
    return sum(similarity(a, b) for a, b in plain) / len(plain) >= _SIMILAR


def similarity(first: str, second: str) -> float:
    """0 to 1: how much of two texts is the same, by their letters."""
    return SequenceMatcher(None, first.casefold(), second.casefold(), autojunk=False).ratio()


def _most_varied(values: Mapping[int, Sequence[str]]) -> list[int]:
    """Of columns of short values the one with clearly the most different ones; else all."""
    if len(values) == 1:
        return list(values)
    different = sorted(((len(set(column)), index) for index, column in values.items()))[::-1]
    (most, index), (next_most, _unused) = different[:2]
    return [index] if most >= 2 * next_most else list(values)


def is_language_code(value: str) -> bool:
    """Such as en, EN, en-US or pt_BR; longer ones are names of people as well."""
    code = value.strip().replace("_", "-").partition("-")[0].lower()
    return _CODE.fullmatch(value.strip()) is not None and language_name(code) != code


def _speaker(values: Mapping[int, Sequence[str]], labels: Sequence[int]) -> int | None:
    """The first of the columns that holds something else than codes of languages."""
    for index in labels:
        if not all(is_language_code(value) for value in values[index] if value):
            return index
    return None


def _row(record: _Record, columns: _Columns, width: int, mark: str) -> MetadataRow:
    fields = record.fields

    def field(index: int | None) -> str:
        return fields[index] if index is not None and index < len(fields) else ""

    file = field(columns.file)
    if len(fields) > width and not _is_normalized_too(fields, columns, width):
        sign = _("tab") if mark == "\t" else mark
        problem = (
            _("The row has a {sign} too many.", sign=sign)
            if mark
            else _("The row has too many fields.")
        )
        return MetadataRow(record.line, file, "", problem=problem)
    normalized = columns.normalized if len(fields) <= width else width
    text = field(normalized) or field(columns.text)
    # Where a column is missing before the text, it is not known which.
    too_short = len(fields) < width and columns.text > 1
    if not file or not text or too_short:
        return MetadataRow(record.line, file, "", problem=_("The row has no text or no file."))
    subset = field(columns.subset).casefold()
    return MetadataRow(record.line, file, " ".join(text.split()), field(columns.speaker), subset)


def _is_normalized_too(fields: Sequence[str], columns: _Columns, width: int) -> bool:
    """Whether a row of `id|text` has LJSpeech's third column, which the others lack."""
    if width != 2 or len(fields) != 3 or columns.text != 1:
        return False
    return similarity(fields[1], fields[2]) >= _SIMILAR or any(map(str.isdigit, fields[1]))
