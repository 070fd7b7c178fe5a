"""The text of a segment by its words, and segments split where no one speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from modules.core_components.values import Segment, Word

# A subtitle, and a segment with word times, never reaches over a longer pause.
LONGEST_PAUSE_S = 2.0
_BORDERS_S = 0.5


def spoken_words(segment: Segment) -> list[tuple[str, Word]]:
    """Each word with its part of the text (white space made single), which ends where the next
    word begins; [] where a word is not in the text."""
    text = " ".join(segment.text.split())
    words = [word for word in segment.words if word.text.strip()]
    starts: list[int] = []
    after = 0
    for word in words:
        position = text.find(word.text.strip(), after)
        if position < 0:
            return []
        starts.append(position)
        after = position + len(word.text.strip())
    edges = [0, *starts[1:], len(text)]
    return [(text[edges[i] : edges[i + 1]], word) for i, word in enumerate(words)]


def split_at_pauses(segment: Segment, longest_pause_s: float = LONGEST_PAUSE_S) -> list[Segment]:
    """The segment parted where two of its words are further apart; whole without word times."""
    spoken = spoken_words(segment)
    cuts = [
        index
        for index, ((_, word), (_, following)) in enumerate(pairwise(spoken), start=1)
        if following.start_s - word.end_s > longest_pause_s
    ]
    if not cuts:
        return [segment]
    return [part_of(segment, spoken[a:b]) for a, b in pairwise([0, *cuts, len(spoken)])]


def part_of(segment: Segment, spoken: Sequence[tuple[str, Word]]) -> Segment:
    """The segment cut down to some of its `spoken_words`, with their text and times."""
    words = tuple(word for _, word in spoken)
    text = "".join(part for part, _ in spoken).strip()
    return replace(segment, text=text, start_s=words[0].start_s, end_s=words[-1].end_s, words=words)


def within_speech(
    segment: Segment, regions: Sequence[tuple[float, float]], least_overlap_s: float = 0.3
) -> Segment:
    """A segment without word times, its ends moved to the speech in it.

    `regions` are stretches of speech in seconds, in order. One at an end that the segment merely
    touches is not part of it.
    """
    inside = [
        (max(a, segment.start_s), min(b, segment.end_s))
        for a, b in regions
        if min(b, segment.end_s) > max(a, segment.start_s)
    ]
    clear = [(a, b) for a, b in inside if b - a >= least_overlap_s] or inside
    if not clear:
        return segment
    return replace(segment, start_s=clear[0][0], end_s=clear[-1][1])


def kept_near(word: Word, regions: Sequence[tuple[float, float]], within_s: float = 0.15) -> Word:
    """A word outside all speech, such as one that begins in the pause before its sentence, made
    shorter so that it stays next to the stretch it borders on."""
    if any(min(b, word.end_s) > max(a, word.start_s) for a, b in regions):
        return word
    for start_s, end_s in regions:
        if 0 <= start_s - word.end_s <= _BORDERS_S:
            earliest_s = start_s - within_s
            return replace(word, start_s=min(max(word.start_s, earliest_s), word.end_s))
        if 0 <= word.start_s - end_s <= _BORDERS_S:
            return replace(word, end_s=max(min(word.end_s, end_s + within_s), word.start_s))
    return word


def with_words(segments: Sequence[Segment], words: Sequence[Word]) -> Iterator[Segment]:
    """The segments with other times of their words, which come in the same order."""
    times = iter(words)
    for segment in segments:
        own = tuple(next(times) for _ in segment.words)
        if own:
            yield replace(segment, words=own, start_s=own[0].start_s, end_s=own[-1].end_s)
        else:
            yield segment
