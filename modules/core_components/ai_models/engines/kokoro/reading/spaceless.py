"""What reading Chinese and Japanese has in common: marks, and words in Latin letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from itertools import groupby

import regex  # type: ignore[import-untyped]

from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import (
    Given,
    around_given,
)
from modules.core_components.ai_models.engines.kokoro.reading.pieces import Piece

_MARKS = {
    **dict.fromkeys("。．｡.", "."),
    **dict.fromkeys("，、,､﹑", ","),
    **dict.fromkeys("！!", "!"),
    **dict.fromkeys("？?", "?"),
    **dict.fromkeys("：:", ":"),
    **dict.fromkeys("；;", ";"),
    **dict.fromkeys("…‥⋯", "…"),
    **dict.fromkeys("—–―─～〜~", "—"),
    **dict.fromkeys("“«「『《〈【〖｢", "“"),
    **dict.fromkeys("”»」』》〉】〗｣", "”"),
    **dict.fromkeys("（(〔［[", "("),
    **dict.fromkeys("）)〕］]", ")"),
    '"': '"',
}
_RUN = regex.compile(
    r"(?P<latin>\p{Latin}(?:[\p{Latin}\p{M}\d'’&+./@ -]*[\p{Latin}\p{M}\d+])?)"
    r"|(?P<native>[\p{Han}\p{Hiragana}\p{Katakana}ーｰ]\p{M}*)+"
    r"|(?P<mark>[" + regex.escape("".join(_MARKS)) + r"]+)|(?P<other>\S)"
)
_SPACE = Piece(0, 0, " ")
_MAY_HAVE_A_NAME = "LNS"


class SpacelessReader:
    """Reads text whose words have no spaces between them.

    `native` reads a run of the language's own script, one piece a word; `english` whatever else
    may have a name: words in Latin letters, a Greek letter, a symbol.
    """

    def __init__(
        self, native: Callable[[str], list[Piece]], english: Callable[[str], list[Piece]]
    ) -> None:
        self._native = native
        self._english = english

    def __call__(self, text: str, given: Sequence[Given]) -> list[Piece]:
        """The pieces of `text`, words with a space on each side."""
        return around_given(text, given, self._read)

    def _read(self, text: str) -> list[Piece]:
        pieces: list[Piece] = [_SPACE]
        for run in _RUN.finditer(text):
            start, end = run.span()
            if run["mark"]:
                pieces += [Piece(start, end, _mark(run[0])), _SPACE]
            elif run["native"]:
                for piece in _moved(self._native(run[0]), start):
                    pieces += [piece, _SPACE]
            elif run["latin"] or unicodedata.category(run[0])[0] in _MAY_HAVE_A_NAME:
                pieces += [*_moved(self._english(run[0]), start), _SPACE]
        return pieces


def _mark(marks: str) -> str:
    """The marks in Kokoro's symbols, runs of the same as one ("……" is one pause)."""
    symbols = "".join(symbol for symbol, _ in groupby(_MARKS[mark] for mark in marks))
    return symbols.replace("“", " “").replace("(", " (")


def _moved(pieces: Sequence[Piece], offset: int) -> list[Piece]:
    return [Piece(piece.start + offset, piece.end + offset, piece.phonemes) for piece in pieces]
