from __future__ import annotations

import pytest

from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.text.corrections import (
    Corrections,
    correct_word,
    corrected,
    from_json,
    name_speaker,
    segment_words,
    to_json,
)
from modules.core_components.text.subtitles import render
from modules.core_components.values import Segment, Transcript, Word

SAID = Transcript(
    text="Good mourning, Ana. How are you? Fine.",
    language="en",
    segments=(
        Segment(
            "Good mourning, Ana.",
            0.0,
            1.5,
            (
                Word("Good", 0.0, 0.5),
                Word("mourning,", 0.5, 1.0, 0.4),
                Word("Ana.", 1.0, 1.5),
            ),
            speaker="Speaker 1",
        ),
        Segment("How are you?", 1.5, 2.5, speaker="Speaker 2"),
        Segment("Fine.", 2.5, 3.0, (Word("Fine.", 2.5, 3.0),), speaker="Speaker 1"),
    ),
    duration_s=3.0,
)


def edited(*changes: tuple[int, int, str]) -> Corrections:
    corrections = Corrections()
    for segment, word, text in changes:
        corrections = correct_word(SAID, corrections, segment, word, text)
    return corrections


def test_corrected_words_are_in_the_text_and_keep_their_times() -> None:
    new = corrected(SAID, edited((0, 1, "morning,"), (0, 2, " Anna  Lee. ")))
    assert new.text == "Good morning, Anna Lee. How are you? Fine."
    assert new.segments[0].text == "Good morning, Anna Lee."
    assert new.segments[0].words[1] == Word("morning,", 0.5, 1.0)
    assert new.segments[1:] == SAID.segments[1:]
    assert "Good morning, Anna Lee." in render(new, "srt")


def test_a_word_that_was_not_said_is_left_out_and_so_is_an_emptied_segment() -> None:
    new = corrected(SAID, edited((0, 2, ""), (2, 0, "")))
    assert [segment.text for segment in new.segments] == ["Good mourning,", "How are you?"]
    assert len(new.segments[0].words) == 2
    assert new.text == "Good mourning, How are you?"


def test_a_segment_without_word_times_is_corrected_as_a_whole() -> None:
    corrections = edited((1, 0, "Who are you?"))
    assert corrected(SAID, corrections).segments[1].text == "Who are you?"
    assert corrections.text_of(1, 0, SAID.segments[1]) == "Who are you?"
    assert [text for text, _ in segment_words(SAID.segments[1])] == ["How are you?"]


def test_the_recognized_word_takes_a_correction_back() -> None:
    once = edited((0, 1, "morning,"))
    assert correct_word(SAID, once, 0, 1, "mourning,").is_empty
    assert corrected(SAID, Corrections()) is SAID


def test_a_speaker_named_once_is_named_everywhere() -> None:
    named = name_speaker(SAID, Corrections(), 0, " Anna ")
    speakers = [segment.speaker for segment in corrected(SAID, named).segments]
    assert speakers == ["Anna", "Speaker 2", "Anna"]
    again = name_speaker(SAID, named, 2, "Maria")
    assert corrected(SAID, again).segments[0].speaker == "Maria"
    assert name_speaker(SAID, again, 0, "").is_empty
    assert corrected(SAID, named).text == SAID.text
    assert "Anna: Fine." in render(corrected(SAID, named), "srt")


def test_a_turn_can_have_another_speaker_than_the_model_said() -> None:
    named = name_speaker(SAID, Corrections(), 0, "Anna")
    one = name_speaker(SAID, named, 2, "Ben", everywhere=False)
    assert [s.speaker for s in corrected(SAID, one).segments] == ["Anna", "Speaker 2", "Ben"]
    # The turn that has a name of its own goes with that name.
    both = name_speaker(SAID, one, 2, "Benjamin")
    assert [s.speaker for s in corrected(SAID, both).segments] == ["Anna", "Speaker 2", "Benjamin"]


def test_who_speaks_can_be_named_where_the_model_does_not_know_speakers() -> None:
    alone = Transcript("Yes. No.", "en", (Segment("Yes.", 0, 1), Segment("No.", 1, 2)), 2.0)
    named = name_speaker(alone, Corrections(), 1, "Anna")
    assert [segment.speaker for segment in corrected(alone, named).segments] == ["Anna", "Anna"]


def test_corrections_come_back_from_json() -> None:
    corrections = name_speaker(SAID, edited((0, 1, "morning,"), (1, 0, "Who?")), 1, "Ben", False)
    assert from_json(to_json(corrections)) == corrections


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(NotFoundError):
        correct_word(SAID, Corrections(), 0, 3, "x")
    with pytest.raises(NotFoundError):
        correct_word(SAID, Corrections(), 3, 0, "x")
    with pytest.raises(NotFoundError):
        name_speaker(SAID, Corrections(), -1, "x")
    with pytest.raises(BadInputError):
        correct_word(SAID, Corrections(), 0, 0, "x" * 1001)
