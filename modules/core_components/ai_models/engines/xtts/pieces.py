"""A text cut into what XTTS speaks at once."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.ai_models.engines.xtts.languages import CHARACTER_LIMITS
from modules.core_components.errors import BadInputError
from modules.core_components.text.even_cuts import cut_evenly
from modules.core_components.text.sentences import split_sentences

_UNSPACED = ("zh", "ja")


@dataclass(frozen=True)
class Piece:
    """What is spoken in one go; `ends_paragraph` asks for a longer pause after it."""

    text: str
    ends_paragraph: bool = False


def plan_pieces(text: str, language: str) -> tuple[Piece, ...]:
    """Whole sentences, packed up to the limit of the language; longer ones are cut at clauses.

    What has no letter or digit is left out: XTTS makes noises of it. Raises BadInputError when
    nothing is left.
    """
    limit = CHARACTER_LIMITS[language]
    pieces: list[Piece] = []
    for paragraph in filter(str.strip, text.splitlines()):
        packed = _packed(paragraph, language, limit)
        pieces += [Piece(part, number == len(packed)) for number, part in enumerate(packed, 1)]
    if not pieces:
        raise BadInputError(
            "There is nothing in the text that can be spoken.", "Type words or numbers.", "text"
        )
    return tuple(pieces)


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
