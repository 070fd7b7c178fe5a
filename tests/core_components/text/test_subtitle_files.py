"""Reading subtitle files as they are found in the world."""

from __future__ import annotations

import pytest
import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.errors import BadInputError
from modules.core_components.text.subtitles import read_cues

SRT = """1
00:00:01,500 --> 00:00:03,000
<i>Good</i> {\\an8}morning,
everybody.

2
00:00:04,000 --> 00:00:05,250
[door slams]

3
01:00:06,000 --> 01:00:07,000
(sighs) Yes &amp; no.
"""


def test_markup_and_what_is_not_said_are_left_out() -> None:
    first, second = read_cues(SRT.encode(), "film.srt")
    assert first.lines == ("Good morning, everybody.",)
    assert (first.start_s, first.end_s) == (1.5, 3.0)
    assert (second.lines, second.start_s) == (("Yes & no.",), 3606.0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_encoding(encoding: str) -> None:
    content = SRT.replace("morning", "más").encode(encoding)
    assert read_cues(content, "film.srt")[0].lines == ("Good más, everybody.",)


def test_webvtt_with_notes_settings_and_short_clocks() -> None:
    text = (
        "WEBVTT\n\nNOTE nothing\n\nSTYLE\n::cue {}\n\n"
        "intro\n00:01.000 --> 00:02.000 align:start position:0%\n<v Anna>Hello <c.loud>you</c>\n"
    )
    (cue,) = read_cues(text.replace("\n", "\r\n").encode(), "film.vtt")
    assert (cue.lines, cue.start_s, cue.end_s) == (("Hello you",), 1.0, 2.0)
    (other,) = webvtt.from_string(text)
    assert (cue.start_s, cue.end_s) == (other.start_in_seconds, other.end_in_seconds)


@pytest.mark.parametrize("content", [b"", b"no subtitles", b"\x00\xff\xfe binary"])
def test_what_is_no_subtitle_file_is_refused(content: bytes) -> None:
    with pytest.raises(BadInputError, match=r"film\.srt"):
        read_cues(content, "film.srt")


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 5000)), min_size=1, max_size=6))
def test_it_reads_the_times_that_other_programs_write(times: list[tuple[int, int]]) -> None:
    begun = sorted(times)
    written = [
        srt.Subtitle(i, srt.timedelta(milliseconds=a), srt.timedelta(milliseconds=a + n), "word")
        for i, (a, n) in enumerate(begun, start=1)
    ]
    cues = read_cues(srt.compose(written).encode(), "film.srt")
    assert [(cue.start_s, cue.end_s) for cue in cues] == [
        pytest.approx((a / 1000, (a + n) / 1000)) for a, n in begun
    ]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_line_ends_end_a_line(sign: str, end: str) -> None:
    lines = ["1", "00:00:01,000 --> 00:00:02,000", f"One{sign}{sign}two", "three", ""]
    (cue,) = read_cues(end.join(lines).encode(), "film.srt")
    assert cue.lines == ("One two three",)
