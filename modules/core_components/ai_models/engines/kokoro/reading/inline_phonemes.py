"""Words whose phonemes are given, `[word](/phonemes/)` or in a dictionary; and words in general.

`extract_given` replaces such words by placeholders; `WrittenWords` finds which phonemes belong to
which word of the text as it was written.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import regex

from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import (
    Assembled,
    PhonemeSpan,
)
from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import LINK
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.texts import _

# Stands in the cleaned text where such a word was; a private-use character.
PLACEHOLDER = "\ue000"
_CACHED_PATTERNS = 16


@dataclass(frozen=True)
class GivenPhonemes:
    """A word and the phonemes it is spoken with."""

    word: str
    phonemes: str


def extract_given(
    text: str,
    entries: Mapping[str, str],
    parted_by_spaces: bool,
    vocabulary: Collection[str] | None,
) -> tuple[OffsetText, tuple[GivenPhonemes, ...]]:
    """`text` with a PLACEHOLDER for each link and word of `entries`, and their phonemes, in order.

    The original of the result is `text` with the links replaced by their words. `entries` are words
    and their phonemes; one in the same case as the text goes before one in another. Raises
    BadInputError for phonemes without a sound and for those outside the vocabulary; without one
    they are not checked.
    """
    in_any_case = {word.casefold(): phonemes for word, phonemes in entries.items()}
    plain: list[str] = []
    found: list[GivenPhonemes] = []
    places: list[tuple[int, int, str]] = []
    position, length = 0, 0
    for match in _pattern(tuple(entries), parted_by_spaces).finditer(text):
        word = match["word"] or match[0]
        phonemes = match["phonemes"]
        if phonemes is None:
            phonemes = entries.get(word) or in_any_case[word.casefold()]
        if vocabulary is not None:
            check_phonemes(word, phonemes, vocabulary)
        start = length + match.start() - position
        length = start + len(word)
        plain += (text[position : match.start()], word)
        places.append((start, length, PLACEHOLDER))
        found.append(GivenPhonemes(word, phonemes))
        position = match.end()
    offset_text = OffsetText.of("".join((*plain, text[position:]))).with_changes(places)
    return offset_text, tuple(found)


def read_around_given(
    text: str, given: Sequence[GivenPhonemes], read: Callable[[str], list[PhonemeSpan]]
) -> list[PhonemeSpan]:
    """The spans of `text`, of which `read` reads all but the placeholders."""
    space = PhonemeSpan(0, 0, " ")
    pieces: list[PhonemeSpan] = []
    offset = 0
    for index, part in enumerate(text.split(PLACEHOLDER)):
        if index:
            pieces.append(PhonemeSpan(offset - 1, offset, given[index - 1].phonemes))
        if part[:1].isspace():
            pieces.append(space)
        if part.strip():
            pieces += (
                PhonemeSpan(piece.start + offset, piece.end + offset, piece.phonemes)
                for piece in read(part)
            )
        if part[-1:].isspace():
            pieces.append(space)
        offset += len(part) + len(PLACEHOLDER)
    return pieces


def check_phonemes(word: str, phonemes: str, vocabulary: Collection[str]) -> None:
    """Raises BadInputError for phonemes without a sound and for those outside the vocabulary."""
    unknown = sorted(set(phonemes) - set(vocabulary))
    if unknown:
        raise BadInputError(
            _(
                "Kokoro has no sound for {unknown}, given for “{word}”.",
                unknown=", ".join(unknown),
                word=word,
            ),
            _("Use the phonemes of its vocabulary."),
            "text",
        )
    if not any(map(str.isalpha, phonemes)):
        raise BadInputError(
            _("The phonemes given for “{word}” make no sound.", word=word),
            _("Write them between the slashes: [word](/wˈɜɹd/)."),
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


# -- The words of a text as written, and their phonemes --------------------------------------------

# From the first to the last character that may have a name, up to white space, a long dash or
# dots; "don't", "$5", "3.5%", ".5", "R&B". Quotation marks and brackets around it stay outside.
_NAMED = rf"\p{{L}}\p{{M}}\p{{N}}\p{{Sc}}\p{{Sm}}%‰&#@§°{PLACEHOLDER}"
_WORD = regex.compile(
    # "R$ 25" and "25 €" are one word each: they are read as one, the first in another order.
    rf"(?:\p{{Lu}}{{0,3}}\p{{Sc}}[ \u00a0](?=\d))?(?:[{_NAMED}]|[.,](?=\d))"
    rf"(?:[^\s—…]*[{_NAMED}\u200c\u200d])?(?:(?<=\d)[ \u00a0]\p{{Sc}}(?!\d))?"
)
_NAMES_SOMETHING = regex.compile(r"[\p{L}\p{N}]")


@dataclass(frozen=True)
class SpokenWord:
    """A word as it was written; `start` and `end` are its place in its sentence's phonemes."""

    text: str
    start: int
    end: int


class WrittenWords:
    """Finds the words of one text, sentence by sentence from its beginning; each word once.

    Words are what white space parts in `written`, the same text without its formatting; without
    it (in languages without spaces) what the phonemizer read as one, numbers and links whole.
    """

    def __init__(self, text: OffsetText, written: OffsetText | None) -> None:
        self._text = text
        self._written = written or text
        self._spans: Sequence[tuple[int, int]] | None = None
        if written is not None:
            self._spans = [
                (written.starts[word.start()], written.ends[word.end() - 1])
                for word in _WORD.finditer(written.text)
            ]
        self._starts = [start for start, _unused in self._spans or ()]
        self._found_up_to = 0

    def of_sentence(
        self, offset: int, pieces: Sequence[PhonemeSpan], spoken: Assembled
    ) -> tuple[SpokenWord, ...]:
        """The words of the sentence whose text begins at `offset` of the cleaned text."""
        found: list[tuple[int, int, int, int]] = []
        for start, end, sounds in self._read(offset, pieces, spoken.spans):
            if found and start < found[-1][1]:
                a, b, first, _unused = found[-1]
                found[-1] = (a, max(b, end), first, sounds[1])
            else:
                found.append((start, end, *sounds))
        words = []
        for start, end, first, last in found:
            text = self._written.as_written(start, end).strip()
            first, last = _without_marks(spoken.phonemes, first, last)
            is_word = first < last or _NAMES_SOMETHING.search(text) is not None
            if is_word and start >= self._found_up_to:
                words.append(SpokenWord(text, first, last))
            self._found_up_to = max(self._found_up_to, end)
        return tuple(words)

    def _read(
        self, offset: int, pieces: Iterable[PhonemeSpan], spans: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[int, int, tuple[int, int]]]:
        """Each piece's place in the original (widened to its word) and in the phonemes."""
        for piece, span in zip(pieces, spans, strict=True):
            if piece.start == piece.end:
                continue
            start = self._text.starts[offset + piece.start]
            end = self._text.ends[offset + piece.end - 1]
            if self._spans is None:
                yield start, end, span
                continue
            words = self._words_between(start, end)
            for (a, b), part in zip(words, _shares(span, words), strict=True):
                yield a, b, part

    def _words_between(self, start: int, end: int) -> list[tuple[int, int]]:
        spans = self._spans or ()
        first = bisect_right(self._starts, start) - 1
        if first < 0 or spans[first][1] <= start:
            first += 1
        return list(spans[first : bisect_left(self._starts, end)])


def _shares(span: tuple[int, int], words: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The span parted among words that were read as one, by their lengths."""
    if len(words) == 1:
        return [span]
    lengths = [end - start for start, end in words]
    marks = [
        span[0] + (span[1] - span[0]) * before // max(1, sum(lengths))
        for before in accumulate(lengths, initial=0)
    ]
    return list(pairwise(marks))


def _without_marks(phonemes: str, start: int, end: int) -> tuple[int, int]:
    """The span without the punctuation and spaces at its ends."""
    while end > start and not phonemes[end - 1].isalpha() and phonemes[end - 1] not in "\u0303→↗↘↓":
        end -= 1
    while start < end and not phonemes[start].isalpha():
        start += 1
    return start, end
