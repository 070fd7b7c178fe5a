"""How many text tokens a sentence costs XTTS."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable

TokenCounter = Callable[[str], int]

# XTTS's tokenizer spends a token on every space. Its merges are best for Latin letters, scarce for
# other alphabets; it writes Chinese, Japanese and Korean in Latin letters first, numbers and signs
# as words. Each figure is the worst case of its kind, not the average.
_LATIN, _OTHER_LETTER, _ROMANIZED, _SPELLED_OUT = 0.5, 1.0, 3.0, 6.0
_ROMANIZED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")


def estimated_tokens(text: str) -> int:
    """Rather more than the real tokenizer counts; for cutting where it is not at hand."""
    return math.ceil(sum(_cost(character) for character in text))


def _cost(character: str) -> float:
    category = unicodedata.category(character)
    if category == "Nd" or category[0] == "S":
        return _SPELLED_OUT
    if category[0] not in "LM":
        return 1.0
    name = unicodedata.name(character, "")
    if name.startswith(_ROMANIZED_SCRIPTS):
        return _ROMANIZED
    return _LATIN if name.startswith("LATIN") else _OTHER_LETTER
