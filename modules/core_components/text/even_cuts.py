"""Cutting what is too long to be spoken at once, where it hurts least."""

from __future__ import annotations

import math
import re

_CLAUSE_END = re.compile(r"[,;:，、；：،؛–—][\s\u200b]*|[)\]”»]\s+")


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
