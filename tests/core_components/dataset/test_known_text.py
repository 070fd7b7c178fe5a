"""Subtitles given the times of what was heard."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.dataset.known_text import spread, timed_cues
from modules.core_components.text.subtitles import Cue
from modules.core_components.values import Word


def heard(text: str, begin_s: float = 10.0) -> list[Word]:
    return [Word(t, begin_s + i, begin_s + i + 0.8, 0.9) for i, t in enumerate(text.split())]


def test_matched_words_take_the_times_and_others_lie_between() -> None:
    cue = Cue(9.5, 16.0, ("Dr. Smith bought", "seven eggs!"))
    timed = timed_cues([cue], heard("doctor Smith bought 7 eggs"))
    assert [word.text for word in timed] == ["Dr.", "Smith", "bought", "seven", "eggs!"]
    assert [word.probability > 0 for word in timed] == [False, True, True, False, True]
    assert timed[0].end_s == timed[1].start_s == 11.0
    assert (timed[3].start_s, timed[3].end_s) == (12.8, 14.0)


def test_the_same_word_in_two_cues_is_heard_once_each() -> None:
    cues = [Cue(10.0, 11.0, ("no",)), Cue(11.0, 12.0, ("no",))]
    first, second = timed_cues(cues, heard("no no"))
    assert (first.start_s, second.start_s) == (10.0, 11.0)


def test_a_cue_of_which_nothing_was_heard_is_spread_over_its_time() -> None:
    timed = timed_cues([Cue(2.0, 4.0, ("abc abc abcd",))], [])
    assert [(word.start_s, word.end_s) for word in timed] == [(2.0, 2.6), (2.6, 3.2), (3.2, 4.0)]


def test_scripts_without_spaces_are_matched_by_character() -> None:
    timed = timed_cues([Cue(0.0, 4.0, ("你好，世界。",))], [Word("你好", 1.0, 2.0, 0.9)])
    assert [word.text for word in timed] == ["你", "好，", "世", "界。"]
    assert (timed[0].start_s, timed[1].end_s) == (1.0, 2.0)
    assert timed[3].end_s == 4.0


@given(
    st.lists(st.sampled_from("abcd"), max_size=12),
    st.lists(st.sampled_from("abcd"), max_size=12),
    st.floats(0.0, 15.0),
)
def test_every_word_stays_in_order_whatever_was_heard(
    written: list[str], said: list[str], start_s: float
) -> None:
    timed = timed_cues([Cue(start_s, start_s + 5, (" ".join(written),))], heard(" ".join(said)))
    assert [word.text for word in timed] == written
    assert all(word.start_s <= word.end_s for word in timed)
    assert all(before.start_s <= after.start_s for before, after in pairwise(timed))


def test_nothing_is_spread_to_nothing() -> None:
    assert spread("  ", 1.0, 2.0) == ()
    assert spread("a b", 1.0, 2.0, 0.5)[1] == Word("b", 1.5, pytest.approx(2.0), 0.5)
