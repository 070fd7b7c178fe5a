"""Which words of a text were replaced: pairs of what was written and what is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modules.core_components.text.languages import is_spaceless_character
from modules.core_components.text.reading.offset_text import OffsetText


@dataclass(frozen=True)
class Segment:
    """A piece of the written text and what is said for it; the two are equal where nothing was
    replaced."""

    written: str
    spoken: str

    @property
    def is_replaced(self) -> bool:
        """Whether it differs in more than white space."""
        return self.written.split() != self.spoken.split()


def compare_texts(text: OffsetText) -> tuple[Segment, ...]:
    """The text in pieces, in order; together they are the original and the text whole.

    A replaced piece reaches to the ends of its words, except in scripts without spaces.
    """
    return tuple(_joined(_widened(list(_pieces(text)))))


def _pieces(text: OffsetText) -> Iterator[Segment]:
    """Runs of equal characters and replaced pieces, as the offsets have them."""
    position, index, length = 0, 0, len(text.text)
    equal: list[str] = []
    while index < length:
        start, end, stop = text.starts[index], text.ends[index], index + 1
        while stop < length and text.starts[stop] < end:
            end = max(end, text.ends[stop])
            stop += 1
        written, spoken = text.original[position:end], text.text[index:stop]
        if written == spoken and start == position:
            equal.append(written)
        else:
            if equal:
                yield Segment("".join(equal), "".join(equal))
                equal = []
            if start > position and text.original[start:end] == spoken:
                yield Segment(text.original[position:start], "")
                equal.append(spoken)
            else:
                yield Segment(written, spoken)
        position, index = end, stop
    if equal:
        yield Segment("".join(equal), "".join(equal))
    if position < len(text.original):
        yield Segment(text.original[position:], "")


def _widened(pieces: list[Segment]) -> list[Segment]:
    """With the letters and digits next to a replaced piece in it, from the equal runs around."""
    wide: list[Segment] = []
    for number, piece in enumerate(pieces):
        if piece.written != piece.spoken:
            wide.append(piece)
            continue
        run = piece.written
        head = _letters(run) if number else 0
        tail = _letters(run[::-1]) if number + 1 < len(pieces) else 0
        if head:
            last = wide.pop()
            wide.append(Segment(last.written + run[:head], last.spoken + run[:head]))
        middle = run[head : max(head, len(run) - tail)]
        if middle:
            wide.append(Segment(middle, middle))
        rest = run[head + len(middle) :]
        if rest:
            following = pieces[number + 1]
            pieces[number + 1] = Segment(rest + following.written, rest + following.spoken)
    return wide


def _letters(text: str) -> int:
    """How many letters and digits the text begins with."""
    for count, character in enumerate(text):
        if not character.isalnum() or is_spaceless_character(character):
            return count
    return len(text)


def _joined(pieces: Iterable[Segment]) -> Iterator[Segment]:
    """Neighbours of one kind as one piece."""
    last: Segment | None = None
    for piece in pieces:
        if last is not None and last.is_replaced == piece.is_replaced:
            last = Segment(last.written + piece.written, last.spoken + piece.spoken)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last
