"""Text to phonemes by espeak-ng alone. Imported late: it loads the library."""

from __future__ import annotations

import logging
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

import regex
from misaki.espeak import EspeakG2P

from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import (
    PhonemeSpan,
)

_MAY_BE_READ = regex.compile(r"\S*[\p{L}\p{N}\p{S}&%#@]\S*")
_CACHED_WORDS = 4096
# Marks that neither espeak-ng nor Kokoro has, and what ends a sentence or clause like them.
_MARKS = str.maketrans("।॥؟،؛۔", "..?,;.")


class EspeakReader:
    """espeak-ng for one language.

    It reads a sentence as a whole and may read one written word as several (25: "veinte y cinco")
    or several as one. Which phonemes belong to which word is found by counting and, where the
    numbers differ, by reading each word alone.
    """

    def __init__(self, language: str) -> None:
        self._g2p = EspeakG2P(language=language)
        # It warns of every foreign word, which is read as intended.
        logging.getLogger("phonemizer").setLevel(logging.ERROR)
        self._alone = lru_cache(_CACHED_WORDS)(self._phonemes)

    def __call__(self, text: str) -> list[PhonemeSpan]:
        """The pieces of `text` in order."""
        phonemes = self._phonemes(text)
        words = [word.span() for word in _MAY_BE_READ.finditer(text)]
        if not words:  # nothing, or a sign alone that espeak has a name for
            return [PhonemeSpan(0, 0, phonemes)]
        groups = [group.span() for group in re.finditer(r"\S+", phonemes)]
        voiced = [(a, b) for a, b in groups if any(map(str.isalpha, phonemes[a:b]))]
        if len(voiced) == len(words):
            bounds = [start for start, _ in voiced]
        else:
            bounds = self._bounds(text, words, phonemes, voiced)
        bounds = [0, *bounds[1:], len(phonemes)]
        return [
            PhonemeSpan(first, last, phonemes[start:end])
            for (first, last), (start, end) in zip(words, pairwise(bounds), strict=True)
        ]

    def _phonemes(self, text: str) -> str:
        return str(self._g2p(text.translate(_MARKS))[0])

    def _bounds(
        self,
        text: str,
        words: Sequence[tuple[int, int]],
        phonemes: str,
        groups: Sequence[tuple[int, int]],
    ) -> list[int]:
        """Where in `phonemes` each word begins."""
        alone = [self._alone(text[start:end]) for start, end in words]
        counts = [sum(any(map(str.isalpha, part)) for part in one.split()) for one in alone]
        starts = [start for start, _ in groups]
        if sum(counts) == len(groups):
            return [
                starts[index] if index < len(starts) else len(phonemes)
                for index in accumulate(counts[:-1], initial=0)
            ]
        # Estimated by the length of each word's own phonemes, at the nearest beginning of a group.
        lengths = [len(one) + 1 for one in alone]
        guesses = [
            before * len(phonemes) // sum(lengths) for before in accumulate(lengths[:-1], initial=0)
        ]
        near = [_nearest(starts, guess) for guess in guesses]
        return near if len(set(near)) == len(near) else guesses


def _nearest(starts: Sequence[int], guess: int) -> int:
    """The one of `starts` (ascending) that is nearest to `guess`; 0 where there is none."""
    after = bisect_left(starts, guess)
    around = starts[max(0, after - 1) : after + 1]
    return min((abs(start - guess), start) for start in around)[1] if around else 0
