"""Subtitles that public parsers read, on lines that fit."""

from __future__ import annotations

import io
import itertools
import json
from datetime import timedelta

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.errors import BadInputError
from modules.core_components.text.subtitles import FORMATS, LINE_WIDTH, cues, render, text_width
from modules.core_components.values import Segment, Transcript, Word

LONG = (
    "The studio listens to a recording, however long it is, and writes down every word of it. "
    "What does not fit on two lines is shown in parts, each as long as it is spoken, "
    "and a sentence that ends is a good place for a cut."
)


def transcript(*segments: Segment) -> Transcript:
    text = " ".join(segment.text for segment in segments)
    end = max((segment.end_s for segment in segments), default=0.0)
    return Transcript(text, "en", segments, end, "whisper-base", 0.98)


def segment_with_words(text: str, start_s: float = 0.0, word_s: float = 0.5) -> Segment:
    """Each word takes the same time; texts with leading spaces, as Whisper has them."""
    parts = text.split()
    words = tuple(
        Word(f" {part}", start_s + i * word_s, start_s + (i + 1) * word_s - 0.1)
        for i, part in enumerate(parts)
    )
    return Segment(text, start_s, start_s + len(parts) * word_s, words)


def without_space(text: str) -> str:
    return "".join(text.split())


TWO = transcript(Segment("Good morning.", 0.5, 1.75), Segment("How are you?", 3661.0, 3662.5))


def test_srt_to_the_letter() -> None:
    assert render(TWO, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,750\nGood morning.\n\n"
        "2\n01:01:01,000 --> 01:01:02,500\nHow are you?\n\n"
    )


def test_vtt_to_the_letter() -> None:
    assert render(TWO, "vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.750\nGood morning.\n\n"
        "01:01:01.000 --> 01:01:02.500\nHow are you?\n\n"
    )


def test_plain_text_is_a_line_a_segment() -> None:
    assert render(TWO, "txt") == "Good morning.\nHow are you?\n"


def test_json_holds_everything() -> None:
    spoken = transcript(segment_with_words("Good morning."))
    read = json.loads(render(spoken, "json"))
    assert read["language"] == "en"
    assert read["segments"][0]["words"][1] == {
        "text": " morning.",
        "start_s": 0.5,
        "end_s": 0.9,
        "probability": 1.0,
    }


def test_parsers_read_the_same_texts_and_times() -> None:
    spoken = transcript(segment_with_words(LONG, 10.0), Segment("The end.", 60.0, 61.0))
    shown = cues(spoken)
    assert len(shown) > 3
    from_srt = list(srt.parse(render(spoken, "srt")))
    from_vtt = webvtt.from_buffer(io.StringIO(render(spoken, "vtt")))
    for cue, one, other in zip(shown, from_srt, from_vtt, strict=True):
        assert one.content == other.text == "\n".join(cue.lines)
        assert one.start / timedelta(seconds=1) == pytest.approx(cue.start_s, abs=0.001)
        assert one.end / timedelta(seconds=1) == pytest.approx(cue.end_s, abs=0.001)
        assert other.start_in_seconds == pytest.approx(int(cue.start_s), abs=1)


def test_long_segments_are_cut_at_word_times_after_a_clause() -> None:
    segment = segment_with_words(LONG, 10.0)
    shown = cues(transcript(segment))
    starts, ends = ({w.start_s for w in segment.words}, {w.end_s for w in segment.words})
    assert all(cue.start_s in starts and cue.end_s in ends for cue in shown)
    assert [cue.lines[-1][-1] for cue in shown] == [",", ".", ",", "."]
    assert all(len(cue.lines) <= 2 for cue in shown)
    assert all(text_width(line) <= LINE_WIDTH for cue in shown for line in cue.lines)


def test_without_word_times_the_time_is_shared_by_the_letters() -> None:
    shown = cues(transcript(Segment(LONG, 0.0, 22.2)))
    assert len(shown) > 2
    assert shown[0].start_s == 0.0
    assert shown[-1].end_s == pytest.approx(22.2, abs=0.2)
    rates = [len("".join(cue.lines)) / (cue.end_s - cue.start_s) for cue in shown]
    assert max(rates) / min(rates) < 1.3


def test_words_that_are_not_in_the_text_do_no_harm() -> None:
    segment = Segment("Good morning.", 1.0, 2.0, (Word("something", 1.0, 1.5), Word("", 1, 2)))
    (cue,) = cues(transcript(segment))
    assert cue.lines == ("Good morning.",)
    assert (cue.start_s, cue.end_s) == (1.0, pytest.approx(2.0, abs=0.1))


def test_a_script_without_spaces_is_cut_by_its_width() -> None:
    text = "今日はとても天気がいいので公園まで歩いて行くことにしました" * 4
    shown = cues(transcript(Segment(text, 0.0, 30.0)))
    assert "".join(line for cue in shown for line in cue.lines) == text
    assert all(text_width(line) <= LINE_WIDTH for cue in shown for line in cue.lines)


def test_overlapping_speakers_give_way_and_keep_their_names() -> None:
    spoken = transcript(
        Segment("I think that", 0.0, 5.0, speaker="Anna"),
        Segment("No!", 3.0, 4.0, speaker="Bea"),
        Segment("Yes.", 3.0, 6.0, speaker="Bea"),
    )
    shown = cues(spoken)
    assert [(cue.start_s, cue.end_s) for cue in shown] == [(0.0, 3.0), (3.0, 4.0), (4.0, 6.0)]
    assert render(spoken, "txt") == "Anna: I think that\nBea: No!\nYes.\n"
    assert list(srt.parse(render(spoken, "srt")))[1].content == "Bea: No!"
    assert webvtt.from_buffer(io.StringIO(render(spoken, "vtt")))[0].voice == "Anna"


def test_text_cannot_break_out_of_its_cue() -> None:
    nasty = Segment("a --> b\n\n2\n00:00:00,000 --> 00:00:09,000\n<i>x & y", 0.0, 1.0)
    spoken = transcript(nasty, Segment("next", 2.0, 3.0))
    assert len(list(srt.parse(render(spoken, "srt")))) == len(cues(spoken))
    read = webvtt.from_buffer(io.StringIO(render(spoken, "vtt")))
    assert len(read) == len(cues(spoken))
    assert "&lt;i&gt;x &amp; y" in render(spoken, "vtt")


def test_silence_gives_empty_files_that_are_read() -> None:
    empty = transcript()
    assert render(empty, "txt") == ""
    assert list(srt.parse(render(empty, "srt"))) == []
    assert len(webvtt.from_buffer(io.StringIO(render(empty, "vtt")))) == 0


def test_an_unknown_format_names_the_known() -> None:
    assert set(FORMATS) == {"txt", "srt", "vtt", "json"}
    with pytest.raises(BadInputError, match="txt, srt, vtt, json"):
        render(TWO, "docx")


SEGMENTS = st.lists(
    st.builds(
        lambda text, start, length: Segment(text, start, start + length),
        st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200),
        st.floats(0, 7200),
        st.floats(0, 60),
    ),
    max_size=5,
)


@settings(deadline=None)
@given(SEGMENTS)
def test_any_transcript_keeps_its_text_and_runs_forward(segments: list[Segment]) -> None:
    spoken = transcript(*segments)
    shown = cues(spoken)
    kept = "".join(line for cue in shown for line in cue.lines)
    assert without_space(kept) == without_space("".join(item.text for item in segments))
    for cue, following in itertools.pairwise(shown):
        assert cue.end_s <= following.start_s
    assert all(round(cue.end_s * 1000) > round(cue.start_s * 1000) for cue in shown)
    assert len(list(srt.parse(render(spoken, "srt")))) == len(shown)
