"""When each word is said, in a speech that comes in pieces."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace

from modules.core_components.values import Speech, Word


def timed_from_the_start(pieces: Iterable[Speech]) -> Generator[Speech, None, None]:
    """The pieces, their words' times counted from the start of the first piece."""
    before_s = 0.0
    for piece in pieces:
        words = tuple(_moved(word, before_s) for word in piece.words)
        before_s += piece.duration_s
        yield replace(piece, words=words)


def _moved(word: Word, seconds: float) -> Word:
    return replace(word, start_s=word.start_s + seconds, end_s=word.end_s + seconds)
