"""Words glued and joined as they were written."""

from __future__ import annotations

import pytest

from modules.core_components.dataset.words import fitted_to_speech, joined_text, whole_words
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


def test_a_word_across_a_pause_keeps_the_part_it_fills_most() -> None:
    spoken = [(0.0, 1.0), (3.0, 6.0)]
    (fitted,) = fitted_to_speech([Word("so", 0.8, 4.0)], spoken)
    assert (fitted.start_s, fitted.end_s) == (3.0, 4.0)
    (outside,) = fitted_to_speech([Word("so", 1.5, 2.0)], spoken)
    assert (outside.start_s, outside.end_s) == (1.5, 2.0)
