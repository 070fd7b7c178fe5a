"""A text cut into what a cloning model speaks at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from modules.core_components.errors import BadInputError
from modules.core_components.text.sentences import split_sentences

_CLAUSE_END = re.compile(r"[,;:，、；：،؛–—][\s\u200b]*|[)\]”»]\s+")
_UNSPACED = ("zh", "ja")


@dataclass(frozen=True)
class Piece:
    """What is spoken in one go; `ends_paragraph` asks for a longer pause after it."""

    text: str
    ends_paragraph: bool = False


def plan_pieces(text: str, language: str, limit: int) -> tuple[Piece, ...]:
    """Whole sentences, packed up to `limit` characters; longer ones are cut at clauses.

    What has no letter or digit is left out: the models make noises of it. Raises BadInputError
    when nothing is left.
    """
    pieces: list[Piece] = []
    for paragraph in filter(str.strip, text.splitlines()):
        packed = _packed(paragraph, language, limit)
        pieces += [Piece(part, number == len(packed)) for number, part in enumerate(packed, 1)]
    if not pieces:
        raise BadInputError(
            "There is nothing in the text that can be spoken.", "Type words or numbers.", "text"
        )
    return tuple(pieces)


def cut_evenly(sentence: str, limit: int) -> list[str]:
    """Parts of at most `limit` characters and about the same length, cut after clauses, else
    between words, else anywhere. Their characters without white space are those of `sentence`."""
    parts = []
    while len(sentence) > limit:
        wanted = math.ceil(len(sentence) / math.ceil(len(sentence) / limit))
        end = _best_cut(sentence, wanted, limit)
        parts.append(sentence[:end].strip())
        sentence = sentence[end:].strip()
    return [part for part in [*parts, sentence] if part]


def _packed(paragraph: str, language: str, limit: int) -> list[str]:
    joint = "" if language in _UNSPACED else " "
    packed: list[str] = []
    for sentence in split_sentences(paragraph, language):
        for part in cut_evenly(sentence, limit):
            if not any(character.isalnum() for character in part):
                continue
            if packed and len(packed[-1]) + len(joint) + len(part) <= limit:
                packed[-1] += joint + part
            else:
                packed.append(part)
    return packed


def _best_cut(sentence: str, wanted: int, limit: int) -> int:
    """The end of the clause, else of the word, that is nearest to `wanted`; never above `limit`."""
    for ends in (
        [match.end() for match in _CLAUSE_END.finditer(sentence, 0, limit)],
        [match.end() for match in re.finditer(r"\s+", sentence[:limit])],
    ):
        near = [end for end in ends if end >= wanted / 2]
        if near:
            return min(near, key=lambda end: abs(end - wanted))
    return wanted
