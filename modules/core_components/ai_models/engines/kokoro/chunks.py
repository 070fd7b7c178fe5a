"""Sentences of phonemes, cut and packed into what Kokoro speaks at once.

A short first chunk lets audio start early; the next ones grow to the length at which Kokoro sounds
best (100 to 250 phonemes). Each is at most about twice as long as the one before, so that playing
one lasts longer than computing the next. Nothing is lost, and the time is linear in the text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain, repeat


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


# The first, the second and all further chunks. Kokoro takes up to 510, but sounds rushed there.
SIZES = (Size(60, 60, 110), Size(120, 170, 170), Size(200, 250, 250))

# Kokoro garbles very short utterances: less than this is not left alone if it can be helped.
_SHORT = 20
_SENTENCE_MARKS = ".!?…"
_CLAUSE_MARKS = ",;:—"
_CLOSERS = '”")'


def plan_chunks(sentences: Iterable[str], sizes: tuple[Size, ...] = SIZES) -> Iterator[Chunk]:
    """The chunks of the sentences' phonemes, in order, each as soon as it is known.

    Joined without their spaces, the chunks are the sentences joined without theirs.
    """
    ahead = chain(sizes, repeat(sizes[-1]))
    size = next(ahead)
    waiting = ""
    for sentence in sentences:
        limit = size.most if len(sentence) < _SHORT else size.wanted
        if len(waiting) >= _SHORT and len(waiting) + 1 + len(sentence) > limit:
            yield Chunk(waiting, Ending.SENTENCE)
            size, waiting = next(ahead), ""
        text = f"{waiting} {sentence}".strip()
        start = 0
        while len(text) - start > size.whole:
            end, ending = _cut(text, start, size)
            yield Chunk(text[start:end], ending)
            size, start = next(ahead), end
            while start < len(text) and text[start] == " ":
                start += 1
        waiting = text[start:]
    if waiting:
        yield Chunk(waiting, Ending.SENTENCE)


def _cut(text: str, start: int, size: Size) -> tuple[int, Ending]:
    """Where the chunk from `start` ends: after a sentence or clause, else after a word."""
    last = min(start + size.most, len(text) - _SHORT)
    spaces = [i for i in range(start + size.wanted // 3, last + 1) if text[i] == " "]
    endings = [(i, _ending(text, i)) for i in spaces]
    breaks = [(i, ending) for i, ending in endings if ending is not Ending.WORD]
    early = [found for found in breaks if found[0] <= start + size.wanted]
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
