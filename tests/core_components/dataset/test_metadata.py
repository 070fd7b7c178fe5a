"""Which column of a metadata file is what, whatever its delimiter, header and order."""

from __future__ import annotations

import json

import pytest

from modules.core_components.dataset.metadata import has_header, read_rows, share_found
from modules.core_components.errors import BadInputError

THERE = {"a", "b", "c", "d"}
TEXTS = ("Hello there, my friend.", "It rains.", "Nobody came today.")


def is_there(place: str) -> bool:
    return place.rpartition("/")[2].removesuffix(".wav") in THERE


def read(content: str, name: str = "metadata.csv") -> list[tuple[str, str, str]]:
    rows = read_rows(content.encode(), name, is_there)
    assert all(not row.problem for row in rows), rows
    return [(row.file, row.text, row.speaker) for row in rows]


def table(mark: str, *columns: tuple[str, ...]) -> str:
    return "".join(f"{mark.join(row)}\n" for row in zip(*columns, strict=True))


IDS = ("a", "b", "c")
FILES = ("wavs/a.wav", "wavs/b.wav", "wavs/c.wav")
ANNA = ("anna",) * 3
CHINESE = ("今天天气很好", "我们去公园", "你好吗")
IN_WORDS = ("It cost five.", "In nineteen twenty-nine.", "He is eight.")
SAID = ("Hello there my friend.", "It rains!", "Nobody came to-day.")


@pytest.mark.parametrize("mark", ["|", "\t", ";"])
@pytest.mark.parametrize("ids", [IDS, FILES], ids=["ids", "files"])
@pytest.mark.parametrize(
    ("columns", "texts", "speaker"),
    [
        ((TEXTS,), TEXTS, ""),
        ((TEXTS, SAID), SAID, ""),
        ((TEXTS, TEXTS), TEXTS, ""),
        ((TEXTS, ("", "", "")), TEXTS, ""),
        ((TEXTS, ANNA), TEXTS, "anna"),
        ((ANNA, TEXTS), TEXTS, "anna"),
        ((("7",) * 3, TEXTS), TEXTS, "7"),
        ((TEXTS, ("Anna Maria Berg",) * 3), TEXTS, "Anna Maria Berg"),
        ((TEXTS, ("anna", "bea", "carl")), TEXTS, None),
        ((TEXTS, ("en",) * 3), TEXTS, ""),
        ((ANNA, ("EN",) * 3, TEXTS), TEXTS, "anna"),
        ((("zh-CN",) * 3, ANNA, TEXTS), TEXTS, "anna"),
        ((TEXTS, SAID, ANNA), SAID, "anna"),
        ((ANNA, TEXTS, SAID), SAID, "anna"),
        ((TEXTS, ANNA, ("anna01",) * 3), TEXTS, "anna"),
        ((("Stop", "Go on", "Turn left"), ANNA), ("Stop", "Go on", "Turn left"), "anna"),
        ((CHINESE, ANNA), CHINESE, "anna"),
        ((("It cost 5.", "In 1929.", "He is 8."), IN_WORDS), IN_WORDS, ""),
    ],
)  # fmt: skip
def test_columns_are_told_apart_by_what_they_hold(
    mark: str,
    ids: tuple[str, ...],
    columns: tuple[tuple[str, ...], ...],
    texts: tuple[str, ...],
    speaker: str | None,
) -> None:
    rows = read(table(mark, ids, *columns))
    assert [row[:2] for row in rows] == list(zip(ids, texts, strict=True))
    speakers = columns[-1] if speaker is None else (speaker,) * 3
    assert tuple(row[2] for row in rows) == speakers


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ("a|Hello there my friend.|anna\n", ("a", "Hello there my friend.", "anna")),
        ("a|anna|Hello there my friend.\n", ("a", "Hello there my friend.", "anna")),
        ("a|It's 4.|Its four\n", ("a", "Its four", "")),
        ("a|Hello.|Hello.\n", ("a", "Hello.", "")),
        ("a|Hello\n", ("a", "Hello", "")),
        ("a.wav Hello there\n", ("a.wav", "Hello there", "")),
        ("Hello there, friend.|a.wav\n", ("a.wav", "Hello there, friend.", "")),
        ('a.wav,"Hello, ""you"", and\nmore."\n', ("a.wav", 'Hello, "you", and more.', "")),
        ("a.wav,Hello there,anna\n", None),
    ],
)  # fmt: skip
def test_one_row_alone(content: str, row: tuple[str, str, str] | None) -> None:
    if row is None:
        with pytest.raises(BadInputError, match="cannot be seen which column holds the text"):
            read(content)
    else:
        assert read(content) == [row]


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("audio_file|text|speaker_name", ("a.wav", "Hello.", "anna")),
        ("audio_file|text|speaker_name|emotion_name", ("a.wav", "Hello.", "anna", "sad")),
        ("text|speaker|path", ("Hello.", "anna", "a.wav")),
        ("file_name,transcription", ("a.wav", "Hello.")),
        ("client_id\tpath\tsentence\tup_votes\tlocale", ("anna", "a.wav", "Hello.", "2", "en")),
        ("ID;Transcription;Normalized Transcription", ("a", "Hel-lo.", "Hello.")),
        ('"path","sentence"', ("a.wav", "Hello.")),
        ("File Name|Text", ("a.wav", "Hello.")),
    ],
)
def test_a_header_names_the_columns(header: str, fields: tuple[str, ...]) -> None:
    mark = next(sign for sign in "|\t;," if sign in header)
    content = f"\ufeff{header}\r\n{mark.join(fields)}\r\n"
    assert has_header(content.encode())
    ((file, text, speaker),) = read(content, "anything.csv")
    assert (file[0], text, speaker) == ("a", "Hello.", "anna" if "anna" in fields else "")


def test_lines_of_json() -> None:
    lines = [{"file_name": "a.wav", "text": "Hello."}, {"text": "Bye.", "file_name": "b.wav"}]
    content = "\n".join(json.dumps(line) for line in lines)
    assert read(content, "metadata.jsonl") == [("a.wav", "Hello.", ""), ("b.wav", "Bye.", "")]
    rows = read_rows(b'{"file_name": "a.wav", "text": "x"}\nnonsense\n', "m.jsonl", is_there)
    assert "JSON" in rows[1].problem
    with pytest.raises(BadInputError, match="line 1, names no file"):
        read('{"sound": "a.wav"}', "metadata.jsonl")


@pytest.mark.parametrize(
    "sign", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_line_ends_end_a_line(sign: str, end: str) -> None:
    content = f"a|Hello{sign}there my friend.{end}b|It rains today.{end}"
    rows = read_rows(content.encode(), "metadata.csv", is_there)
    assert [row.text for row in rows] == ["Hello there my friend.", "It rains today."]
    assert [row.line for row in rows] == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    rows = read_rows("a|Grüße an alle.\n".encode(encoding), "metadata.csv", is_there)
    assert rows[0].text == "Grüße an alle."
    with pytest.raises(BadInputError, match="Save it as UTF-8"):
        read_rows("a|Grüße.\n".encode("latin-1"), "metadata.csv", is_there)


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("a|One here.\nb|Two | here.\nc|Three now.\n", [2]),
        ("a|One is here.|anna\nb|Two | is here.|anna\nc|Three is.|anna\n", [2]),
        ("a|anna|One is here.\nb|Two is here.\nc|anna|Three is here.\n", [2]),
        ("a|One is here.|anna\nb|Two is here.\nc|Three is here.|anna\n", []),
        ("a|One.\n\nb|\nc\n", [3, 4]),
        ("audio_file|text\na.wav|One | two\nb.wav|Two\n", [2]),
        ("file,text\na.wav,One, two\nb.wav,Two\n", [2]),
    ],
)
def test_rows_that_cannot_be_used_are_named(content: str, problems: list[int]) -> None:
    rows = read_rows(content.encode(), "metadata.csv", is_there)
    assert [row.line for row in rows if row.problem] == problems
    assert all(row.text or row.problem for row in rows)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n\n",
        "just a text\nof two lines",
        "a|Guten Morgen zusammen.|Good day to all of you.\nb|Es ist kalt.|We are freezing.\n",
        "a,One, two, and three.\nb,Two.\nc,Three.\n",
        "a|yes|anna\n",
    ],
    ids=["empty", "blank", "no rows", "two languages", "commas", "two words"],
)
def test_what_cannot_be_told_is_refused(content: str) -> None:
    with pytest.raises(BadInputError, match=r"metadata\.csv"):
        read_rows(content.encode(), "metadata.csv", is_there)
    assert share_found(content.encode(), "metadata.csv", is_there) == 0.0


def test_the_share_of_recordings_that_are_there() -> None:
    content = b"a|One here.\nx|Two here.\nb|Three here.\ny|Four here.\n"
    assert share_found(content, "list.txt", is_there) == 0.5
