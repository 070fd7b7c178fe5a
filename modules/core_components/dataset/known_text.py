"""Aligns a known text (subtitles, a script) with the word times of a transcript."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from modules.core_components.dataset.words import sounds
from modules.core_components.text.languages import is_spaceless_character
from modules.core_components.text.subtitles import Cue
from modules.core_components.values import Word

# Subtitles stay on the screen a little before and after what they say.
_SLACK_S = 1.0


def timed_cues(cues: Sequence[Cue], heard: Sequence[Word]) -> tuple[Word, ...]:
    """The words of the cues with the times of the heard words they match.

    Words that were heard otherwise lie between their matched neighbours, by their share of the
    letters; a cue of which nothing was heard is spread over the time it is shown. `probability` is
    the listener's where a word matched, 0 elsewhere. Both come in order of time.
    """
    units = tuple(
        unit
        for word in heard
        for unit in spread(word.text, word.start_s, word.end_s, word.probability)
    )
    timed: list[Word] = []
    first = 0
    for cue in cues:
        while first < len(units) and units[first].end_s <= cue.start_s - _SLACK_S:
            first += 1
        last = first
        while last < len(units) and units[last].start_s < cue.end_s + _SLACK_S:
            last += 1
        words, used = _timed(" ".join(cue.lines), cue.start_s, cue.end_s, units[first:last])
        timed += words
        first += used
    return tuple(timed)


def spread(text: str, start_s: float, end_s: float, probability: float = 0.0) -> tuple[Word, ...]:
    """The words of a text (of scripts without spaces: the characters) over a stretch of time, each
    with its share of the letters."""
    written = tuple(written_units(text))
    total = sum(map(len, written))
    words, before = [], 0
    for unit in written:
        begin_s = start_s + (end_s - start_s) * before / total
        before += len(unit)
        until_s = start_s + (end_s - start_s) * before / total
        words.append(Word(unit, begin_s, until_s, probability))
    return tuple(words)


def _timed(
    text: str, start_s: float, end_s: float, heard: Sequence[Word]
) -> tuple[list[Word], int]:
    """The words of one cue, and how many of the heard words are used up with it."""
    written = list(written_units(text))
    matcher = difflib.SequenceMatcher(
        None, [sounds(unit) for unit in written], [sounds(word.text) for word in heard], False
    )
    words: list[Word] = []
    at, used, free_from_s = 0, 0, start_s
    for block in matcher.get_matching_blocks():
        matched = heard[block.b : block.b + block.size]
        until_s = matched[0].start_s if matched else max(end_s, free_from_s)
        # Nothing can be said in no time: what stands before the first match began before it.
        free_from_s = min(free_from_s, until_s)
        words += spread(" ".join(written[at : block.a]), free_from_s, until_s)
        for unit, word in zip(written[block.a :], matched, strict=False):
            words.append(Word(unit, word.start_s, word.end_s, word.probability))
        if matched:
            free_from_s, used = matched[-1].end_s, block.b + block.size
        at = block.a + block.size
    return words, used


def written_units(text: str) -> Iterator[str]:
    """Words; in scripts without spaces single characters, each with the marks after it."""
    for token in text.split():
        yield from _units(token)


def _units(token: str) -> Iterable[str]:
    units: list[str] = []
    for character in token:
        begins = not units or (
            character.isalnum()
            and (is_spaceless_character(character) or is_spaceless_character(units[-1][0]))
        )
        if begins:
            units.append(character)
        else:
            units[-1] += character
    return units
