"""The form in which XTTS gets texts of a language that it was not made for: Amharic.

There are two ways. By transliteration texts are written in letters that every vocabulary of XTTS
has, and go to the model as a language whose letters sound nearly so; this works with minutes of
speech, and with the accent of that language. Or the vocabulary grows by signs and pieces of words
of the language itself and by a token for it (see `vocabulary`), which needs hours of speech.

A published model's card keeps which way it was, with versions; speaking follows the card.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from modules.core_components.errors import BadInputError
from modules.core_components.library.tuned_models import CARD
from modules.core_components.text.amharic.front_end import (
    ETHIOPIC,
    LANGUAGE,
    LATIN,
    AmharicFrontEnd,
)
from modules.core_components.texts import _

TRANSLITERATION, NEW_TOKENS = "transliteration", "vocabulary"
_WAYS = {TRANSLITERATION: LATIN, NEW_TOKENS: ETHIOPIC}
# Its letters sound most like those of the Latin way: ş, ç, c, y, ı.
HOST = "tr"
# The key on a model's card.
FRONT_END = "text_frontend"

__all__ = [
    "FRONT_END",
    "HOST",
    "LANGUAGE",
    "NEW_TOKENS",
    "TRANSLITERATION",
    "check_speakable",
    "front_end_for",
    "has_new_tokens",
    "language_token",
    "missing_reader",
    "read_front_end",
]


def front_end_for(language: str, way: str) -> AmharicFrontEnd | None:
    """The front end for a new training in `language`; None for languages that XTTS has."""
    return AmharicFrontEnd.of(_WAYS[way]) if language == LANGUAGE else None


def read_front_end(folder: Path) -> AmharicFrontEnd | None:
    """That of the model in `folder`, by its card; None where coqui's own reads the texts.

    Raises BadInputError for one that this studio does not have.
    """
    try:
        record = json.loads((folder / CARD).read_text(encoding="utf-8")).get(FRONT_END)
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return AmharicFrontEnd.from_record(record) if isinstance(record, dict) else None


def has_new_tokens(front_end: AmharicFrontEnd | None) -> bool:
    """Whether its texts need a vocabulary with Ethiopic signs."""
    return front_end is not None and front_end.way == ETHIOPIC


def language_token(front_end: AmharicFrontEnd) -> str:
    """The token before every text: "[tr]" or "[am]"."""
    return f"[{LANGUAGE if has_new_tokens(front_end) else HOST}]"


def missing_reader(error: ImportError) -> BadInputError:
    """The error where the package that reads a language (Japanese, Mandarin) is not installed."""
    return BadInputError(
        _("A part of the studio that reads this language is missing."),
        _("Run the installer again; it brings the languages."),
        "language",
        details=str(error),
    )


def check_speakable(front_end: AmharicFrontEnd, text: str, vocabulary: Collection[str]) -> None:
    """Raises BadInputError for a text in another script, or with letters that the model lacks."""
    front_end.check(text)
    letters = dict.fromkeys(front_end.prepare(text).text)
    unknown = [one for one in letters if not one.isspace() and one not in vocabulary]
    if unknown:
        raise BadInputError(
            _("This model has no sound for {unknown}.", unknown=" ".join(unknown[:10])),
            _("Leave them out, or write what is to be said in Ethiopic."),
            "text",
        )
