"""The dictionary on disk, and as one piece of text."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.core_components.errors import BadInputError, CorruptFileError, NotFoundError
from modules.core_components.library import PronunciationLibrary
from modules.core_components.text.markup import (
    format_pronunciations,
    parse_pronunciations,
    used_in,
)


@pytest.fixture
def library(tmp_path: Path) -> PronunciationLibrary:
    return PronunciationLibrary(tmp_path / "pronunciations.json")


def test_words_are_kept_by_language(library: PronunciationLibrary, tmp_path: Path) -> None:
    assert library.entries("en-us") == {}
    library.put("en-us", " Nguyen ", "/nwˈɪn/")
    library.put("en-us", "Nguyen", "win")
    library.put("it", "GIF", "gif")
    again = PronunciationLibrary(tmp_path / "pronunciations.json")
    assert again.languages() == ("en-us", "it")
    assert again.entries("en-us") == {"Nguyen": "win"}
    again.remove("it", "GIF")
    assert library.languages() == ("en-us",)
    with pytest.raises(NotFoundError, match="GIF"):
        library.remove("it", "GIF")


@pytest.mark.parametrize(
    ("word", "sound"), [("", "a"), ("!", "a"), ("a=b", "a"), ("[a]", "a"), ("a", "//"), ("a", "")]
)
def test_what_is_no_entry_is_refused(library: PronunciationLibrary, word: str, sound: str) -> None:
    with pytest.raises(BadInputError):
        library.put("en-us", word, sound)
    assert library.languages() == ()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"it": 1}', '{"it": {"a": 1}}', '{"it": {"a": ""}}']
)
def test_a_damaged_file_is_named_and_kept(
    library: PronunciationLibrary, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "pronunciations.json"
    path.write_text(content)
    with pytest.raises(CorruptFileError, match="pronunciations"):
        library.put("it", "a", "b")
    assert path.read_text() == content


def test_as_text_and_back() -> None:
    entries = {"Nguyen": "/nwˈɪn, a;b/", "New York": "nu jork"}
    assert parse_pronunciations(format_pronunciations(entries)) == entries
    assert parse_pronunciations("\n a = b \n\n") == {"a": "b"}
    with pytest.raises(BadInputError, match="Nguyen"):
        parse_pronunciations("Nguyen win")


def test_only_used_entries_count() -> None:
    assert used_in("Ask NGUYEN.", {"Nguyen": "win", "Smith": "smit"}) == {"Nguyen": "win"}
