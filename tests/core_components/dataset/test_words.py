"""Words glued and joined as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.dataset.words import (
    fitted_to_speech,
    in_order,
    joined_text,
    unheard,
    whole_words,
    with_found,
)
from modules.core_components.values import Segment, Word


def words(*texts: str) -> tuple[Word, ...]:
    return tuple(Word(text, float(i), i + 1.0, 1.0 - i / 10) for i, text in enumerate(texts))


@pytest.mark.parametrize(
    ("written", "parts", "whole"),
    [
        ("A well-known man.", ["A", "well", "-known", "man."], ["A", "well-known", "man."]),
        ("It cost 10,000 -", ["It", "cost", "10", ",000", "-"], ["It", "cost", "10,000", "-"]),
        ("你好,世界", ["你", "好,", "世界"], ["你", "好,", "世界"]),
        ("no no no", ["no", "no", "no"], ["no", "no", "no"]),
    ],
)
def test_what_no_space_parts_is_one_word(written: str, parts: list[str], whole: list[str]) -> None:
    segment = Segment(written, 0.0, 9.0, words(*parts))
    made = whole_words(segment)
    assert [word.text for word in made] == whole
    assert joined_text(made) == written
    assert (made[0].start_s, made[-1].end_s) == (0.0, float(len(parts)))


def times(made: Sequence[Word]) -> list[tuple[float, float]]:
    return [(word.start_s, word.end_s) for word in made]


def test_a_word_across_a_pause_keeps_the_part_it_fills_most() -> None:
    spoken = [(0.0, 1.0), (3.0, 6.0)]
    (fitted,) = fitted_to_speech([Word("so", 0.8, 5.5)], spoken)
    assert (fitted.start_s, fitted.end_s) == (3.0, 6.0)


def test_words_reach_to_the_edges_of_their_speech_unless_words_may_be_missing() -> None:
    said = [Word("far", 5.0, 5.5), Word("near", 5.5, 6.0)]
    assert times(fitted_to_speech(said, [(4.5, 6.3)])) == [(4.5, 5.5), (5.5, 6.3)]
    assert times(fitted_to_speech(said, [(2.0, 9.0)])) == times(said)
    assert unheard(said, [(2.0, 9.0)], 0.4) == [(2.0, 5.0), (6.0, 9.0)]


def test_a_word_beside_all_speech_goes_to_its_empty_neighbour() -> None:
    said = [Word("one", 1.0, 2.0), Word("two", 2.3, 2.3), Word("three", 5.0, 6.0)]
    spoken = [(1.0, 2.0), (2.6, 3.0), (5.0, 6.0)]
    assert times(fitted_to_speech(said, spoken))[1] == (2.6, 3.0)
    nowhere = [spoken[0], spoken[2]]
    assert times(fitted_to_speech(said, nowhere))[1] == (2.3, 2.3)


def test_speech_without_words_is_found() -> None:
    said = [Word("one", 1.0, 2.0), Word("two", 2.5, 2.8)]
    assert unheard(said, [(1.0, 2.8), (3.0, 3.3), (4.0, 6.0)], 0.4) == [(2.0, 2.5), (4.0, 6.0)]
    assert unheard([], [(0.0, 1.0)], 0.4) == [(0.0, 1.0)]


@pytest.mark.parametrize(
    ("first", "found", "together"),
    [
        ("we go now", "fast", "we go fast now"),
        ("we fast now", "go fast", "we go fast now"),
        ("we go now", "Go slow", "we Go slow now"),
        ("", "all of it", "all of it"),
        ("we go now", "", "we go now"),
    ],
)
def test_what_a_second_hearing_finds_is_there_once(first: str, found: str, together: str) -> None:
    heard = [Word(text, float(i), i + 0.4) for i, text in enumerate(first.split())]
    again = [Word(text, 1.5 + i / 10, 1.55 + i / 10) for i, text in enumerate(found.split())]
    if first == "we fast now":
        heard[1] = Word("fast", 1.8, 1.9)
    assert joined_text(with_found(heard, again)) == together


@given(
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 3)), max_size=25),
    st.lists(st.floats(0, 30), max_size=12),
)
def test_fitting_keeps_every_word_in_order(
    spans: list[tuple[float, float]], edges: list[float]
) -> None:
    said = in_order((Word(f"w{i}", a, a + n) for i, (a, n) in enumerate(sorted(spans))), 30.0)
    edges.sort()
    spoken = list(zip(edges[::2], edges[1::2], strict=False))
    fitted = fitted_to_speech(said, spoken)
    assert [word.text for word in fitted] == [word.text for word in said]
    assert all(word.start_s <= word.end_s for word in fitted)
    assert all(before.start_s <= after.start_s for before, after in pairwise(fitted))
