"""Sentences of phonemes, cut and packed into what Kokoro speaks at once.

A short first chunk lets audio start early; the next ones grow to the length at which Kokoro sounds
best (175 to 250 phonemes). Each is at most about twice as long as the one before, so that playing
one lasts longer than computing the next. Nothing is lost, and the time is linear in the text. The
marks are Kokoro's own: whatever a script ends its sentences with has become one of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


class Ending(Enum):
    """Where a chunk ends: how long a pause belongs after it."""

    SENTENCE = "sentence"
    CLAUSE = "clause"
    WORD = "word"


@dataclass(frozen=True)
class Chunk:
    """What is spoken in one go."""

    phonemes: str
    ending: Ending


@dataclass(frozen=True)
class Size:
    """Numbers of phonemes: what a chunk should have; the sentence it still takes uncut; its end."""

    wanted: int
    whole: int
    most: int


# The first chunk; the model takes up to 510 phonemes, but sounds rushed there.
FIRST = Size(60, 60, 110)
LONGEST = 250
# A little more than twice, or sentences of one length would never be taken two at a time.
_GROWTH = 2.2
# A chunk after a very short one is this long all the same: smaller ones sound chopped.
_LEAST = 110

# Kokoro garbles very short utterances: less than this is not left alone if it can be helped.
_SHORT = 20
_SENTENCE_MARKS = ".!?…"
_CLAUSE_MARKS = ",;:—"
_CLOSERS = '”")'


def plan_chunks(sentences: Iterable[str]) -> Iterator[Chunk]:
    """The chunks of the sentences' phonemes, in order, each as soon as it is known.

    Joined without their spaces, the chunks are the sentences joined without theirs.
    """
    size = FIRST
    waiting = ""
    for sentence in sentences:
        enough = max(_SHORT, size.wanted // 2)
        room = _room(size, waiting, sentence)
        if len(waiting) >= enough and len(waiting) + 1 + len(sentence) > room:
            yield Chunk(waiting, Ending.SENTENCE)
            size, waiting = size_after(len(waiting)), ""
        text = f"{waiting} {sentence}".strip()
        start = 0
        while len(text) - start > (size.most if len(sentence) < _SHORT else size.whole):
            end, ending = _cut(text, start, size)
            yield Chunk(text[start:end], ending)
            size, start = size_after(end - start), end
            while start < len(text) and text[start] == " ":
                start += 1
        waiting = text[start:]
    if waiting:
        yield Chunk(waiting, Ending.SENTENCE)


def size_after(phonemes: int) -> Size:
    """The size of the chunk after one of that many phonemes."""
    whole = min(LONGEST - _SHORT, max(_LEAST, int(_GROWTH * phonemes)))
    return Size(wanted=whole * 3 // 4, whole=whole, most=whole + _SHORT)


def _room(size: Size, waiting: str, sentence: str) -> int:
    """How long the chunk that has `waiting` may become by taking `sentence` in."""
    if len(sentence) < _SHORT:
        return size.most
    return size.whole if len(waiting) < size.wanted else 0


def _cut(text: str, start: int, size: Size) -> tuple[int, Ending]:
    """Where the chunk from `start` ends: after a sentence or clause, else after a word."""
    last = min(start + size.most, len(text) - _SHORT)
    spaces = [i for i in range(start + size.wanted // 3, last + 1) if text[i] == " "]
    endings = [(i, _ending(text, i)) for i in spaces]
    breaks = [(i, ending) for i, ending in endings if ending is not Ending.WORD]
    early = [found for found in breaks if found[0] <= start + size.whole]
    if early:
        return early[-1]
    if breaks:
        return breaks[0]
    if len(text) - start <= size.most:
        return len(text), Ending.SENTENCE
    if endings:
        return endings[-1]
    end = start + size.most
    while end > start + 1 and _continues(text[end]):
        end -= 1
    return end, Ending.WORD


def _ending(text: str, space: int) -> Ending:
    """What ends at the space at index `space`."""
    before = text[:space] if space < 4 else text[space - 4 : space]
    bare = before.rstrip(_CLOSERS)
    if bare.endswith(tuple(_SENTENCE_MARKS)):
        return Ending.SENTENCE
    if bare.endswith(tuple(_CLAUSE_MARKS)) or bare != before:
        return Ending.CLAUSE
    return Ending.WORD


def _continues(character: str) -> bool:
    """Whether `character` belongs to the sound before it: a tilde, a length mark, an aspiration."""
    return unicodedata.category(character) in ("Mn", "Lm") and character not in "ˈˌ"
