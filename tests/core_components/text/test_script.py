"""Scripts: who says what, how, and after which pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.errors import BadInputError
from modules.core_components.text.script import (
    MOST_LINES,
    NO_NAME,
    ScriptLine,
    edge_pauses,
    parse_script,
    speakers_of,
    split_style,
    with_style,
)

SCRIPT = """\
Anna: Good morning, Ben.
  I have waited
for you.
(They sit down.)
BEN (softly): Good morning.
ben: (laughs) At 10:30 I said: nothing.

And then he left.
[3]: Note https://example.org: fine. [pause:500ms]
[pause:1s]

Mr. Smith: [Kokoro](/kˈOkəɹO/) (the model) speaks.
"""


def said(script: str) -> list[tuple[str, str, str]]:
    return [(line.speaker, line.style, line.text) for line in parse_script(script)]


def test_a_script_becomes_lines() -> None:
    assert said(SCRIPT) == [
        ("Anna", "", "Good morning, Ben. I have waited for you."),
        ("BEN", "softly", "Good morning."),
        ("BEN", "laughs", "At 10:30 I said: nothing."),
        ("BEN", "", "And then he left."),
        ("3", "", "Note https://example.org: fine. [pause:500ms] [pause:1s]"),
        ("Mr. Smith", "", "[Kokoro](/kˈOkəɹO/) (the model) speaks."),
    ]
    lines = parse_script(SCRIPT)
    assert [line.number for line in lines] == [1, 5, 6, 8, 9, 12]
    assert speakers_of(lines) == ("Anna", "BEN", "3", "Mr. Smith")


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("No names at all.", [(NO_NAME, "", "No names at all.")]),
        ("1: One.\n[1]: Two.", [("1", "", "One."), ("1", "", "Two.")]),
        ("安娜：早上好。", [("安娜", "", "早上好。")]),
        ("Anna:\n\tOn the next line.", [("Anna", "", "On the next line.")]),
        ("and then he said: yes", [(NO_NAME, "", "and then he said: yes")]),
        ("Anna: One\n\\Then: two", [("Anna", "", "One Then: two")]),
        ("[pause:2s]\nAnna: Hi.", [("Anna", "", "[pause:2s] Hi.")]),
        ("Anna: Hi.\nBen: [break=1.5]", [("Anna", "", "Hi. [pause:1.5s]")]),
        ("Anna: Hi.\nBen: (nods)", [("Anna", "", "Hi.")]),
    ],
)
def test_shapes_of_lines(script: str, lines: list[tuple[str, str, str]]) -> None:
    assert said(script) == lines


@pytest.mark.parametrize("script", ["", " \n\n", "(Nobody.)", "Anna:", "[pause:2s]", "…"])
def test_a_script_without_words_is_refused(script: str) -> None:
    with pytest.raises(BadInputError, match="nothing to speak"):
        parse_script(script)


def test_too_many_lines_are_refused_with_the_limit() -> None:
    with pytest.raises(BadInputError, match=f"{MOST_LINES:,}"):
        parse_script("a: b\n" * (MOST_LINES + 1))


def test_a_style_is_written_as_it_was_read() -> None:
    assert split_style("(softly) Good night.") == ("softly", "Good night.")
    assert split_style(with_style("Good night.", "softly")) == ("softly", "Good night.")
    assert split_style(with_style("Good night.", "")) == ("", "Good night.")
    assert split_style("(/a/) b") == ("", "(/a/) b")


def test_pauses_at_the_edges_are_known() -> None:
    assert edge_pauses("[pause:1s] a [pause:3s] b [pause:500ms][pause:1s]") == (1.0, 1.5)
    assert edge_pauses("a") == (0.0, 0.0)


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused(script: str) -> None:
    try:
        lines = parse_script(script)
    except BadInputError:
        return
    assert all(isinstance(line, ScriptLine) and line.text and line.speaker for line in lines)
    assert sorted({line.number for line in lines}) == [line.number for line in lines]


def test_a_long_script_is_read_in_a_moment() -> None:
    hostile = "Anna" + " " * 50_000 + "x\n(" * 2_000 + "[a" * 20_000
    assert parse_script(hostile)
