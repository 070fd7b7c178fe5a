"""Cutting text into sentences, in any script, without losing a character."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from modules.core_components.text.abbreviations import (
    ABBREVIATIONS,
    AMBIGUOUS,
    BEFORE_NUMBERS,
    BEGINNERS,
    ORDINAL_LANGUAGES,
)
from modules.core_components.text.markup import link_spans

# Marks that end a sentence whatever follows: CJK, Devanagari, Arabic, Urdu, Ethiopic, Khmer,
# Burmese, Armenian.
_ALWAYS = "。！？｡।॥؟۔።។။։"
# Right after a mark every quotation mark closes, also those that open in other languages.
_CLOSERS = "\"'”’“‘»›«‹)]）」』】》〉"
_OPENERS = "\"'“”‘«»‹„‚(¿¡[（「『【《〈-–—*_"
# No look-ahead in it: a failing one would make long runs of marks quadratic.
_MARKS = rf"[.!?…{_ALWAYS}]+"
_END = re.compile(rf"{_MARKS}[{re.escape(_CLOSERS)}]*|\n\s*\n")
_END_FRENCH = re.compile(rf"{_MARKS}(?:[ \u00a0\u202f]?»|[{re.escape(_CLOSERS)}])*|\n\s*\n")
_LONGEST_TOKEN = 40


def split_sentences(text: str, language: str) -> list[str]:
    """The sentences in order, trimmed; none is empty.

    Their characters without white space are those of `text` without white space. A blank line
    always ends a sentence, and nothing within `[word](/phonemes/)`. Where it is unclear whether a
    full stop ends one (after initials, abbreviations, before a small letter), it does not: a pause
    in the wrong place is worse than a long sentence. Takes time linear in the length.
    """
    spans = _spans(text, language.lower().split("-")[0])
    return [sentence for start, end in spans if (sentence := text[start:end].strip())]


def _spans(text: str, language: str) -> Iterator[tuple[int, int]]:
    start = 0
    pattern = _END_FRENCH if language == "fr" else _END
    links = deque(link_spans(text))
    for mark in pattern.finditer(text):
        while links and links[0][1] <= mark.start():
            links.popleft()
        if links and links[0][0] < mark.start():
            continue
        if _ends_sentence(text, start, mark, language):
            yield start, mark.end()
            start = mark.end()
    yield start, len(text)


def _ends_sentence(text: str, start: int, mark: re.Match[str], language: str) -> bool:
    marks = mark.group()
    if marks.isspace() or any(character in _ALWAYS for character in marks):
        return True
    following = text[mark.end() : mark.end() + _LONGEST_TOKEN]
    if not following:
        return True
    if not following[0].isspace():
        return marks[0] != "." and _is_ideographic(following[0])
    next_word = following.split(maxsplit=1)[0].lstrip(_OPENERS) if following.strip() else ""
    if next_word[:1].islower():
        return False
    if marks.rstrip(f"{_CLOSERS} \u00a0\u202f") != ".":
        return True
    token = text[max(start, mark.start() - _LONGEST_TOKEN) : mark.start()].split()
    alone = len(token) == 1 and mark.start() - start <= _LONGEST_TOKEN
    return _full_stop_ends(token[-1] if token else "", alone, next_word, language)


def _full_stop_ends(token: str, alone: bool, next_word: str, language: str) -> bool:
    """Whether the stop after `token` ends the sentence; `alone`: it is all there is so far."""
    word = token.strip(_OPENERS + _CLOSERS).casefold()
    if alone and (word.isdigit() or len(word) == 1):
        return False  # "1. First point"
    if word.isdigit() and len(word) <= 2 and language in ORDINAL_LANGUAGES:
        return False  # "am 3. Oktober"
    if word in BEFORE_NUMBERS and next_word[:1].isdigit():
        return False
    if word in ABBREVIATIONS.get(language, ABBREVIATIONS["en"]):
        return False
    initial = len(word) == 1 and word.isalpha() and word != "i"
    if initial or word in AMBIGUOUS or re.fullmatch(r"(?:\w\.)+\w", word):
        return next_word.rstrip(",.;:!?").casefold() in BEGINNERS
    return True


def _is_ideographic(character: str) -> bool:
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff"
