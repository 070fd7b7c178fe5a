"""Words whose phonemes the user gave: `[word](/phonemes/)` in the text, or in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex  # type: ignore[import-untyped]

from modules.core_components.ai_models.engines.kokoro.reading.offset_text import TracedText
from modules.core_components.ai_models.engines.kokoro.reading.pieces import Piece
from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import LINK

# Stands in the cleaned text where such a word was: not a character that anybody writes.
PLACE = "\ue000"
_CACHED_PATTERNS = 16


@dataclass(frozen=True)
class Given:
    """A word and the phonemes it is spoken with."""

    word: str
    phonemes: str


def take_given(
    text: str, entries: Mapping[str, str], parted_by_spaces: bool, vocabulary: Collection[str]
) -> tuple[TracedText, tuple[Given, ...]]:
    """`text` with PLACE for each link and word of `entries`, and what these stand for, in order.

    The traced original is `text` with the links' words alone. `entries` are words and their
    phonemes; one in the same case as the text goes before one in another. Raises BadInputError for
    phonemes without a sound and for those outside the vocabulary.
    """
    in_any_case = {word.casefold(): phonemes for word, phonemes in entries.items()}
    plain: list[str] = []
    found: list[Given] = []
    places: list[tuple[int, int, str]] = []
    position, length = 0, 0
    for match in _pattern(tuple(entries), parted_by_spaces).finditer(text):
        word = match["word"] or match[0]
        phonemes = match["phonemes"]
        if phonemes is None:
            phonemes = entries.get(word) or in_any_case[word.casefold()]
        check_phonemes(word, phonemes, vocabulary)
        start = length + match.start() - position
        length = start + len(word)
        plain += (text[position : match.start()], word)
        places.append((start, length, PLACE))
        found.append(Given(word, phonemes))
        position = match.end()
    traced = TracedText.of("".join((*plain, text[position:]))).with_changes(places)
    return traced, tuple(found)


def around_given(
    text: str, given: Sequence[Given], read: Callable[[str], list[Piece]]
) -> list[Piece]:
    """The pieces of `text`, of which `read` reads all but the PLACEs."""
    space = Piece(0, 0, " ")
    pieces: list[Piece] = []
    offset = 0
    for index, part in enumerate(text.split(PLACE)):
        if index:
            pieces.append(Piece(offset - 1, offset, given[index - 1].phonemes))
        if part[:1].isspace():
            pieces.append(space)
        if part.strip():
            pieces += (
                Piece(piece.start + offset, piece.end + offset, piece.phonemes)
                for piece in read(part)
            )
        if part[-1:].isspace():
            pieces.append(space)
        offset += len(part) + len(PLACE)
    return pieces


def check_phonemes(word: str, phonemes: str, vocabulary: Collection[str]) -> None:
    """Raises BadInputError for phonemes without a sound and for those outside the vocabulary."""
    unknown = sorted(set(phonemes) - set(vocabulary))
    if unknown:
        raise BadInputError(
            f"Kokoro has no sound for {', '.join(unknown)}, given for “{word}”.",
            "Use the phonemes of its vocabulary.",
            "text",
        )
    if not any(map(str.isalpha, phonemes)):
        raise BadInputError(
            f"The phonemes given for “{word}” make no sound.",
            "Write them between the slashes: [word](/wˈɜɹd/).",
            "text",
        )


@lru_cache(_CACHED_PATTERNS)
def _pattern(words: tuple[str, ...], parted_by_spaces: bool) -> Any:
    if not words:
        return regex.compile(LINK)
    edges = r"\p{L}\p{M}\p{N}" if parted_by_spaces else r"\p{Latin}\p{N}"
    return regex.compile(
        rf"{LINK}|(?<![{edges}])\L<words>(?![{edges}])",
        words=list(words),
        flags=regex.IGNORECASE | regex.FULLCASE,
    )
