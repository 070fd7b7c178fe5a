"""Pauses, speeds and links: parsed, bounded, and never cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import (
    Pause,
    SpokenPart,
    has_markup,
    parse_markup,
    without_markup,
)
from modules.core_components.text.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("No tags [here].", (SpokenPart("No tags [here]."),)),
        ("a[pause:1.5s]b", (SpokenPart("a"), Pause(1.5), SpokenPart("b"))),
        ("a [Pause: 500 MS] b", (SpokenPart("a "), Pause(0.5), SpokenPart(" b"))),
        ("[pause:2][pause:0s]", (Pause(2.0), Pause(0.0))),
        (
            "a[speed:1.2]b[pause:1s]c[speed:1]d",
            (
                SpokenPart("a"),
                SpokenPart("b", 1.2),
                Pause(1.0),
                SpokenPart("c", 1.2),
                SpokenPart("d"),
            ),
        ),
        ("a[speed:2]b[speed:1].", (SpokenPart("a"), SpokenPart("b.", 2.0))),
        ("[pause:1s]. a", (Pause(1.0), SpokenPart(". a"))),
        ("a [speed:1] b", (SpokenPart("a  b"),)),
        ('a<break time="1.5s"/>b', (SpokenPart("a"), Pause(1.5), SpokenPart("b"))),
        ("a <break time='300ms'> b", (SpokenPart("a "), Pause(0.3), SpokenPart(" b"))),
        (
            'a<break strength="weak"></break>b<BREAK/>',
            (SpokenPart("a"), Pause(0.25), SpokenPart("b"), Pause(0.5)),
        ),
        ('<speak><break time="1s"/>Hi</speak>', (Pause(1.0), SpokenPart("Hi</speak>"))),
        ("a <breaking> b", (SpokenPart("a <breaking> b"),)),
        ("an [pause: without end", (SpokenPart("an [pause: without end"),)),
        ("[pause\n:1s]", (SpokenPart("[pause\n:1s]"),)),
    ],
)
def test_a_text_falls_into_parts(text: str, parts: tuple[SpokenPart | Pause, ...]) -> None:
    assert parse_markup(text) == parts


@pytest.mark.parametrize(
    "tag",
    [
        *("[pause:]", "[pause:soon]", "[pause:-1s]", "[pause:61s]", "[pause:1e9]"),
        *("[speed:]", "[speed:0]", "[speed:fast]", "[speed:nan]", "[speed:9]", "[speed:1,2]"),
    ],
)
def test_a_tag_that_cannot_be_read_is_named(tag: str) -> None:
    with pytest.raises(BadInputError) as refused:
        parse_markup(f"Some text {tag} and more.")
    assert tag in refused.value.message
    assert refused.value.about == "text"


def test_pauses_are_bounded_together() -> None:
    with pytest.raises(BadInputError, match="together"):
        parse_markup("[pause:60s]" * 11)


@given(st.text(alphabet="ab [].:(/)1spaued\n", max_size=60))
def test_text_without_tags_stays_as_it_is(text: str) -> None:
    if not has_markup(text) and text.strip():
        assert parse_markup(text) == (SpokenPart(text),)


def test_the_words_alone() -> None:
    text = "[Kokoro](/kˈOkəɹO/) says[pause:1s]hello [speed:2]"
    assert without_markup(text).split() == ["Kokoro", "says", "hello"]


def test_no_cut_within_a_link() -> None:
    text = "Ask [Mr. X. Really? Yes! No](/mˈɪs/) now. And [a. B](/ˈA/)."
    assert split_sentences(text, "en") == [
        "Ask [Mr. X. Really? Yes! No](/mˈɪs/) now.",
        "And [a. B](/ˈA/).",
    ]
