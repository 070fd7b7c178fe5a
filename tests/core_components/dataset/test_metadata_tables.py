"""Tables as other programs write them, read back through pandas to what was written."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.dataset.metadata import read_rows
from modules.core_components.errors import BadInputError

TEXTS = ("Hello there, my friend.", "It costs; or so “they” say.", "Nobody came today.")
FILES = ("a", "b", "c")


def is_there(place: str) -> bool:
    return place.rpartition("/")[2].removesuffix(".wav") in FILES


def written(rows: Sequence[Sequence[str]], mark: str, end: str, always: bool = False) -> str:
    file = io.StringIO()
    quoting = csv.QUOTE_NONE if mark == "|" else csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL
    csv.writer(file, delimiter=mark, lineterminator=end, quoting=quoting).writerows(rows)
    return file.getvalue()


COQUI = [("audio_file", "text", "speaker_name")]
LAYOUTS = {
    "coqui": [*COQUI, *((f"wavs/{f}.wav", t, "anna") for f, t in zip(FILES, TEXTS, strict=True))],
    "LJSpeech, two columns": list(zip(FILES, TEXTS, strict=True)),
    "LJSpeech, three columns": list(zip(FILES, TEXTS, TEXTS, strict=True)),
    "no header, a speaker": [(f, t, "anna") for f, t in zip(FILES, TEXTS, strict=True)],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("mark", "always"),
    [("|", False), *((mark, always) for mark in ",;\t" for always in (False, True))],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_layout_in_every_dress(
    layout: str, mark: str, end: str, encoding: str, always: bool
) -> None:
    content = written(LAYOUTS[layout], mark, end, always).encode(encoding)
    rows = read_rows(content, "metadata.csv", is_there)
    assert tuple(row.text for row in rows) == TEXTS
    assert [row.file.rpartition("/")[2][0] for row in rows] == list(FILES)
    assert {row.speaker for row in rows} == {"anna" if "anna" in str(LAYOUTS[layout]) else ""}
    assert [row.line for row in rows] == ([2, 3, 4] if layout == "coqui" else [1, 2, 3])


def test_lines_are_counted_over_texts_with_breaks_and_blank_lines() -> None:
    content = 'path,sentence\r\na.wav,"One\r\ntwo, three"\r\n\r\nb.wav,"NA"\r\nc.wav,null\r\n'
    rows = read_rows(content.encode(), "x.csv", is_there)
    assert [(row.line, row.text) for row in rows] == [(2, "One two, three"), (5, "NA"), (6, "null")]


def test_a_stray_quotation_mark_swallows_no_rows() -> None:
    content = 'a\t"Hello there, friend.\nb\tIt rains.\nc\tNobody" came today.\n'
    rows = read_rows(content.encode(), "metadata.tsv", is_there)
    assert [row.file for row in rows] == list(FILES)


def test_a_line_of_a_thousand_fields_takes_no_table_of_them() -> None:
    content = "a|Hello there, friend.\nb|It rains.\nc|" + "x|" * 100_000
    rows = read_rows(content.encode(), "metadata.csv", is_there)
    assert rows[0].text == "Hello there, friend."
    assert rows[2].problem


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(min_size=1).filter(lambda text: text.strip()), min_size=3, max_size=3),
    st.sampled_from([",", ";"]),
)
def test_whatever_is_written_is_read(texts: list[str], mark: str) -> None:
    rows = [("path", "sentence"), *zip(FILES, texts, strict=True)]
    file = io.StringIO()
    csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL).writerows(rows)
    try:
        found = read_rows(file.getvalue().encode("utf-8", "surrogatepass"), "m.csv", is_there)
    except BadInputError:
        return  # a lone surrogate is no UTF-8
    assert [row.file for row in found] == list(FILES)
    for row, text in zip(found, texts, strict=True):
        assert row.problem or row.text.split() == text.split()
