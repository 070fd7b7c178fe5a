"""Cutting a transcript into pieces that fit on a screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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

    Long segments are cut at word times, where a sentence or clause ends if possible; without
    words, their time is shared out by the characters. Where two segments overlap, the first cue
    gives way to the second.
    """
    found: list[Cue] = []
    for segment in transcript.segments:
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
    return _units_by_words(text, segment) or _units_by_length(text, segment)


def _units_by_words(text: str, segment: Segment) -> list[_Unit]:
    """The words where they stand in the text, with what follows each; [] if one is not there."""
    starts: list[int] = []
    after = 0
    words = [word for word in segment.words if word.text.strip()]
    for word in words:
        position = text.find(word.text.strip(), after)
        if position < 0:
            return []
        starts.append(position)
        after = position + len(word.text.strip())
    edges = [0, *starts[1:], len(text)]
    return [
        _Unit(text[edges[i] : edges[i + 1]], word.start_s, word.end_s)
        for i, word in enumerate(words)
    ]


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
