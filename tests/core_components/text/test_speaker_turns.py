"""Words and segments are given to speakers by their times."""

from __future__ import annotations

from modules.core_components.text.speaker_turns import with_speakers
from modules.core_components.values import Segment, Turn, Word


def segment(*words: tuple[str, float, float]) -> Segment:
    spoken = tuple(Word(*word) for word in words)
    text = " ".join(word.text for word in spoken)
    return Segment(text, spoken[0].start_s, spoken[-1].end_s, spoken)


def said(segments: tuple[Segment, ...]) -> list[tuple[str | None, str]]:
    return [(one.speaker, one.text) for one in segments]


def test_a_segment_is_parted_where_the_speaker_changes() -> None:
    both = segment(("Are", 0.0, 0.3), ("you", 0.3, 0.5), ("sure?", 0.5, 1.0), ("Quite.", 1.2, 1.8))
    turns = [Turn(0.0, 1.05, "A"), Turn(1.1, 2.0, "B")]
    parts = with_speakers([both], turns)
    assert said(parts) == [("A", "Are you sure?"), ("B", "Quite.")]
    assert (parts[0].start_s, parts[0].end_s, parts[1].start_s) == (0.0, 1.0, 1.2)
    assert len(parts[0].words) == 3


def test_a_word_in_two_turns_stays_with_who_was_speaking() -> None:
    words = segment(("one", 0.0, 0.5), ("two", 0.5, 1.0), ("three", 1.0, 1.5))
    turns = [Turn(0.0, 1.5, "A"), Turn(0.4, 1.1, "B")]
    assert said(with_speakers([words], turns)) == [("A", "one two three")]


def test_a_word_between_turns_goes_to_the_nearest_and_far_from_all_to_nobody() -> None:
    turns = [Turn(0.0, 1.0, "A"), Turn(2.0, 3.0, "B")]
    near, far = segment(("yes", 1.7, 1.9)), segment(("no", 9.0, 9.5))
    assert [one.speaker for one in with_speakers([near, far], turns)] == ["B", None]


def test_without_word_times_a_segment_goes_to_who_talks_most() -> None:
    turns = [Turn(0.0, 1.0, "A"), Turn(1.0, 4.0, "B"), Turn(4.0, 4.5, "A")]
    (whole,) = with_speakers([Segment("All of it.", 0.0, 4.5)], turns)
    assert (whole.speaker, whole.text) == ("B", "All of it.")


def test_without_turns_nobody_is_named() -> None:
    assert said(with_speakers([segment(("yes", 0.0, 1.0))], [])) == [(None, "yes")]
