"""Segments parted at pauses, and their ends moved to the speech in them."""

from __future__ import annotations

import pytest

from modules.core_components.text.segments import (
    kept_near,
    split_at_pauses,
    spoken_words,
    within_speech,
)
from modules.core_components.text.subtitles import cues
from modules.core_components.values import Segment, Transcript, Word


def segment(text: str, *spans: tuple[float, float]) -> Segment:
    words = tuple(Word(word, *span) for word, span in zip(text.split(), spans, strict=True))
    return Segment(text, spans[0][0], spans[-1][1], words)


def test_words_are_found_in_the_text_as_it_is_written() -> None:
    said = Segment(" Well,  then. ", 0.0, 1.0, (Word("Well,", 0.0, 0.4), Word(" then.", 0.5, 1.0)))
    assert [text for text, _ in spoken_words(said)] == ["Well, ", "then."]
    assert spoken_words(Segment("Well.", 0.0, 1.0, (Word("else", 0.0, 0.4),))) == []


def test_a_segment_over_a_long_pause_becomes_two() -> None:
    said = segment("Every day. The train", (8.0, 8.4), (8.4, 8.8), (49.0, 49.3), (49.3, 50.0))
    first, second = split_at_pauses(said)
    assert (first.text, first.start_s, first.end_s) == ("Every day.", 8.0, 8.8)
    assert (second.text, second.start_s, second.end_s) == ("The train", 49.0, 50.0)
    assert first.words + second.words == said.words
    shown = cues(Transcript(said.text, "en", (said,), 60.0))
    assert [(cue.start_s, cue.end_s) for cue in shown] == [(8.0, 8.8), (49.0, 50.0)]


def test_a_segment_with_short_pauses_or_without_words_stays_whole() -> None:
    said = segment("One two three", (0.0, 0.5), (2.0, 2.5), (4.4, 5.0))
    assert split_at_pauses(said) == [said]
    bare = Segment("One two three", 0.0, 50.0)
    assert split_at_pauses(bare) == [bare]


@pytest.mark.parametrize(
    ("span", "fitted"),
    [
        ((0.0, 40.0), (1.0, 9.0)),
        ((8.9, 60.0), (49.0, 58.0)),  # it merely touches the first
        ((9.0, 49.2), (49.0, 49.2)),
        ((2.0, 8.0), (2.0, 8.0)),
        ((0.5, 57.0), (1.0, 57.0)),
        ((20.0, 30.0), (20.0, 30.0)),
    ],
)
def test_ends_move_to_the_speech(span: tuple[float, float], fitted: tuple[float, float]) -> None:
    moved = within_speech(Segment("so", *span), [(1.0, 9.0), (49.0, 58.0)])
    assert (moved.start_s, moved.end_s) == fitted


@pytest.mark.parametrize(
    ("span", "kept"),
    [
        ((48.5, 48.9), (48.85, 48.9)),  # in the pause before the second stretch
        ((9.1, 9.8), (9.1, 9.15)),
        ((9.3, 9.8), (9.3, 9.3)),
        ((48.5, 49.1), (48.5, 49.1)),  # it overlaps the speech: fitted by other means
        ((20.0, 30.0), (20.0, 30.0)),
        ((2.0, 3.0), (2.0, 3.0)),
    ],
)
def test_words_beside_the_speech_stay_near_it(
    span: tuple[float, float], kept: tuple[float, float]
) -> None:
    word = kept_near(Word("the", *span), [(1.0, 9.0), (49.0, 58.0)])
    assert (word.start_s, word.end_s) == pytest.approx(kept)
