"""Phonemes of the parts of a text, and how they are put together in Kokoro's symbols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# What the phonemizers write and Kokoro's vocabulary lacks: the nearest sound, nothing for a
# diacritic (syllabic, dental) and for inverted marks, round brackets for the others.
_NEAREST = str.maketrans("ɭʍ[]{}»", "lw()()”", "\u0329\u032a¿¡")
_OPENING = "“("
_CLOSING = ".,!?:;…”)"


@dataclass(frozen=True)
class PhonemeSpan:
    """The phonemes of `text[start:end]`; white space and what makes no sound come from no text."""

    start: int
    end: int
    phonemes: str


@dataclass(frozen=True)
class Assembled:
    """Phonemes as they are spoken; `spans[i]` is the part of them that came from span i."""

    phonemes: str
    spans: Sequence[tuple[int, int]]


def assemble(pieces: Iterable[PhonemeSpan], tight: bool = False) -> Assembled:
    """The phonemes of `pieces` in Kokoro's symbols, with single spaces between them.

    `tight` takes the spaces away that stand before a closing mark or after an opening one.
    """
    sounds: list[str] = []
    spans = []
    for piece in pieces:
        start = None
        for sound in piece.phonemes.translate(_NEAREST):
            if tight and sounds and sounds[-1] == " " and sound in _CLOSING:
                sounds.pop()
            if not sound.isspace():
                start = len(sounds) if start is None else start
                sounds.append(sound)
            elif sounds and sounds[-1] != " " and not (tight and sounds[-1] in _OPENING):
                sounds.append(" ")
        spans.append((len(sounds) if start is None else start, len(sounds)))
    phonemes = "".join(sounds).rstrip()
    longest = len(phonemes)
    return Assembled(phonemes, [(min(a, longest), min(b, longest)) for a, b in spans])
