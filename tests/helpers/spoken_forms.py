"""Sentences with their spoken forms: `tests/data/spoken_forms/<language>.json`."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modules.core_components.text.languages import is_spaceless

_FOLDER = Path(__file__).parents[1] / "data" / "spoken_forms"
LANGUAGES = ("en-us", "en-gb", "es", "fr-fr", "it", "pt-br", "de", "hi", "ja", "zh")

# Written within a word, so that removing them does not separate its parts.
_NO_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ´`′"))


@dataclass(frozen=True)
class SpokenForm:
    """A sentence as written, and in words: each of `right` is what a good reader might say."""

    language: str
    kind: str
    text: str
    right: tuple[str, ...]

    def is_right(self, reading: str) -> bool:
        """Whether `reading` is one of the right ones; case, marks and hyphens do not count."""
        own = comparable(reading, self.language)
        return any(own == comparable(one, self.language) for one in self.right)


def load_spoken_forms(language: str) -> tuple[SpokenForm, ...]:
    """All sentences of a language (Kokoro's code), in the order of the file."""
    rows = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return tuple(
        SpokenForm(language, row["kind"], row["text"], tuple(row["right"])) for row in rows
    )


def comparable(text: str, language: str) -> str:
    """`text` in lower case, only letters and digits, one blank between words.

    Languages without blanks between words have none.
    """
    without = text.translate(_NO_APOSTROPHES)
    words = "".join(_letters(unicodedata.normalize("NFKD", without).lower())).split()
    return ("" if is_spaceless(language) else " ").join(words)


def _letters(text: str) -> Iterator[str]:
    for character in text:
        # Letters, their marks (vowel signs of Hindi), numbers.
        if unicodedata.category(character)[0] in "LMN":
            yield character
        # Format characters (soft hyphen, zero-width blanks) separate nothing.
        elif unicodedata.category(character) != "Cf":
            yield " "
