"""Transcripts as files: plain text, SubRip, WebVTT and JSON."""

from __future__ import annotations

import codecs
import dataclasses
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from modules.core_components.errors import BadInputError
from modules.core_components.text.lines import split_lines
from modules.core_components.text.segments import split_at_pauses, spoken_words
from modules.core_components.texts import _
from modules.core_components.values import Segment, Transcript

LINE_WIDTH = 42  # as broadcasters' guidelines have it; a CJK character takes two columns
_SHORTEST_S = 0.001  # the formats write milliseconds; a cue must not end when it starts
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "।")
_CLAUSE_ENDS = (",", ";", ":", "、", "，", "；", "：")


@dataclass(frozen=True)
class Cue:
    """What is shown at a time: one or two lines; only a single longer word exceeds 42 columns."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None = None


@dataclass(frozen=True)
class _Unit:
    """The smallest piece that stays together: a word with the white space after it."""

    text: str
    start_s: float
    end_s: float


def cues(transcript: Transcript) -> list[Cue]:
    """The transcript as cues in order, not overlapping.

    Segments are cut where their words leave a long pause; long ones at word times, where a
    sentence or clause ends if possible; without words, their time is shared out by the characters.
    Where two segments overlap, the first cue gives way to the second.
    """
    found: list[Cue] = []
    whole = (part for segment in transcript.segments for part in split_at_pauses(segment))
    for segment in whole:
        for units in _blocks(_units(segment)):
            start_s, end_s = round(max(0.0, units[0].start_s), 3), round(units[-1].end_s, 3)
            if found and start_s < found[-1].end_s:
                if start_s > found[-1].start_s:
                    found[-1] = replace(found[-1], end_s=start_s)
                else:
                    start_s = found[-1].end_s
            end_s = max(end_s, start_s + _SHORTEST_S)
            found.append(Cue(start_s, end_s, _balanced_lines(units), segment.speaker))
    return found


def text_width(text: str) -> int:
    """Columns that a text takes: wide (CJK) characters two, combining marks none."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def _units(segment: Segment) -> list[_Unit]:
    text = " ".join(segment.text.split())
    return _units_by_words(segment) or _units_by_length(text, segment)


def _units_by_words(segment: Segment) -> list[_Unit]:
    """The words where they stand in the text, with what follows each; [] if one is not there."""
    return [_Unit(text, word.start_s, word.end_s) for text, word in spoken_words(segment)]


def _units_by_length(text: str, segment: Segment) -> list[_Unit]:
    pieces = [piece for word in text.split() for piece in _narrow_pieces(f"{word} ")]
    total = max(1, sum(map(len, pieces)))
    length_s = segment.end_s - segment.start_s
    units, done = [], 0
    for piece in pieces:
        start_s = segment.start_s + length_s * done / total
        done += len(piece)
        units.append(_Unit(piece, start_s, segment.start_s + length_s * done / total))
    return units


def _narrow_pieces(word: str) -> Iterator[str]:
    """A word in pieces of one line's width (scripts without spaces are one long word)."""
    piece, width = "", 0
    for character in word:
        columns = text_width(character)
        if width + columns > LINE_WIDTH and not character.isspace():
            yield piece
            piece, width = "", 0
        piece += character
        width += columns
    yield piece


def _blocks(units: Sequence[_Unit]) -> Iterator[Sequence[_Unit]]:
    start = 0
    while start < len(units):
        end = _two_lines_end(units, start)
        if end < len(units):
            end = _good_break(units, start, end)
        yield units[start:end]
        start = end


def _two_lines_end(units: Sequence[_Unit], start: int) -> int:
    """How far two lines reach that are filled word by word; at least one unit."""
    line, width = 1, 0
    for index in range(start, len(units)):
        columns = text_width(units[index].text.rstrip())
        if index > start and width + columns > LINE_WIDTH:
            line, width = line + 1, 0
            if line > 2:
                return index
        width += text_width(units[index].text)
    return len(units)


def _good_break(units: Sequence[_Unit], start: int, end: int) -> int:
    """Where to cut before `end`: after a sentence, else a clause, unless much would be left over.

    Without either, a rest that is shorter than half a block is shared out evenly.
    """
    size = end - start
    for marks, share in ((_SENTENCE_ENDS, 1 / 3), (_CLAUSE_ENDS, 1 / 2)):
        for index in range(end, start + int(size * share), -1):
            if units[index - 1].text.rstrip().endswith(marks):
                return index
    rest = len(units) - end
    return start + (size + rest + 1) // 2 if rest < size / 2 else end


def _balanced_lines(units: Sequence[_Unit]) -> tuple[str, ...]:
    whole = "".join(unit.text for unit in units).strip()
    if text_width(whole) <= LINE_WIDTH or len(units) == 1:
        return (whole,)
    splits = []
    for index in range(1, len(units)):
        first = "".join(unit.text for unit in units[:index]).strip()
        second = "".join(unit.text for unit in units[index:]).strip()
        splits.append((first, second))
    return min(splits, key=lambda lines: max(map(text_width, lines)))


def to_plain(transcript: Transcript) -> str:
    """One line per segment; where speakers are known, their name in front when it changes."""
    lines = []
    speaker = None
    for segment in transcript.segments:
        name = f"{segment.speaker}: " if segment.speaker and segment.speaker != speaker else ""
        speaker = segment.speaker
        lines.append(name + " ".join(segment.text.split()))
    return "".join(f"{line}\n" for line in lines if line)


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, a comma before the milliseconds."""
    return srt_of(cues(transcript))


def to_vtt(transcript: Transcript) -> str:
    """WebVTT (W3C); speakers as voice spans."""
    return vtt_of(cues(transcript))


def srt_of(shown: Sequence[Cue]) -> str:
    """As `to_srt`, of cues that are cut already."""
    blocks = (
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{_srt_text(cue)}\n\n"
        for number, cue in enumerate(shown, start=1)
    )
    return "".join(blocks)


def vtt_of(shown: Sequence[Cue]) -> str:
    """As `to_vtt`, of cues that are cut already."""
    blocks = (
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{_vtt_text(cue)}\n\n"
        for cue in shown
    )
    return "WEBVTT\n\n" + "".join(blocks)


def to_json(transcript: Transcript) -> str:
    """Everything that is known: segments and words with their times in seconds."""
    return json.dumps(dataclasses.asdict(transcript), indent=2, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Transcript], str]] = {
    "txt": to_plain,
    "srt": to_srt,
    "vtt": to_vtt,
    "json": to_json,
}


def render(transcript: Transcript, fmt: str) -> str:
    """The transcript as one of FORMATS. Raises BadInputError for another."""
    if fmt not in FORMATS:
        raise BadInputError(
            _("Unknown format {fmt!r}.", fmt=fmt),
            _("Choose one of {formats}.", formats=", ".join(FORMATS)),
        )
    return FORMATS[fmt](transcript)


def _srt_text(cue: Cue) -> str:
    text = _without_arrow("\n".join(cue.lines))
    return f"{cue.speaker}: {text}" if cue.speaker else text


def _vtt_text(cue: Cue) -> str:
    text = _escaped(_without_arrow("\n".join(cue.lines)))
    return f"<v {_escaped(cue.speaker)}>{text}</v>" if cue.speaker else text


def _without_arrow(text: str) -> str:
    """The arrow of time lines would end the text of a cue."""
    return text.replace("-->", "→")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, mark: str) -> str:
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{ms // 1000:02d}{mark}{ms % 1000:03d}"


# Reading SubRip and WebVTT files.

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
# "[applause]", "(laughs)", "♪ la la ♪": what is shown but not said.
_NOT_SAID = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[♪♫][^♪♫]*[♪♫]?")


def read_cues(content: bytes, name: str) -> tuple[Cue, ...]:
    """The cues of a file in order of time, without markup and without what is not said.

    Encodings: UTF-8, UTF-16 with its mark, else Windows-1252. Raises BadInputError when `content`
    holds no cue at all; `name` is what the message calls it.
    """
    found: list[Cue] = []
    lines = split_lines(_decoded(content))
    starts = [index for index, line in enumerate(lines) if _TIMES.match(line)]
    for index, after in pairwise([*starts, len(lines)]):
        times = _TIMES.match(lines[index])
        assert times is not None  # noqa: S101 - what made it a start
        shown = []
        for line in lines[index + 1 : after]:
            if not line.strip():
                break
            shown.append(line)
        text = _said(" ".join(shown))
        start_s, end_s = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
        if text and end_s > start_s:
            found.append(Cue(start_s, end_s, (text,)))
    if not starts:
        raise BadInputError(
            _("{name} holds no subtitles that can be read.", name=name),
            _("Give an .srt or .vtt file."),
        )
    return tuple(sorted(found, key=lambda cue: cue.start_s))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _said(text: str) -> str:
    bare = html.unescape(_TAGS.sub("", text))
    return " ".join(_NOT_SAID.sub(" ", bare).split())


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000
