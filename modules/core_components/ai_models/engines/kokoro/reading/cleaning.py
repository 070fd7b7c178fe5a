"""Cleans a text for the phonemizers; refuses scripts that the language does not have.

Single characters without phonemes are refused in `phonemes.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

import regex

from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import PLACEHOLDER
from modules.core_components.ai_models.engines.kokoro.reading.languages import Language
from modules.core_components.errors import BadInputError
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.texts import _

# espeak-ng cuts words at 160 bytes (up to 3 a letter in Devanagari). misaki's time grows with the
# cube of the number of parts in a word: hyphens, digits between letters, capitals within.
_LONGEST_WORD = 50
_MOST_PARTS = 12
_WORD_PART = regex.compile(r"\p{Lu}+|[[\p{L}\p{M}'’]--\p{Lu}]+|\d+|.", flags=regex.VERSION1)
_LONG_WORD = re.compile(r"\S{13,}")
_LONG_NUMBER = re.compile(r"\d(?:[.,]?\d){18,}")
_NAMED_AT_MOST = 8

# Emoji with their modifiers and joiners. espeak-ng would read out their names.
_EMOJI = (
    r"(?:[\U0001F000-\U0001FAFF\u2600-\u27BF\u2B00-\u2BFF]|[\uFE0E\uFE0F\u20E3]"
    r"|[\U000E0000-\U000E007F]|(?<=[\p{So}\uFE0F])\u200D)+"
)
_EMOJI_BEFORE_A_BREAK = regex.compile(rf"[ \t]*{_EMOJI}(?=[\s\p{{P}}]|$)")
_EMOJI_BETWEEN_WORDS = regex.compile(_EMOJI)
# Controls and invisible marks; the joiners U+200C and U+200D shape Hindi letters and stay.
_INVISIBLE = regex.compile(r"[[\p{Cc}\p{Cf}]--[\n\t\u200C\u200D]]", flags=regex.VERSION1)
_PERHAPS_VOICED = regex.compile(rf"[\p{{L}}\p{{N}}\p{{S}}{PLACEHOLDER}]")
_GRAPHEME = regex.compile(r"\X")
_NEW_LINE = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")
# Half-width kana; and characters that are written as one but said as several (㎏, ①, ㍿).
_COMPATIBLE = re.compile(r"[\uFF61-\uFF9F\u2460-\u24FF\u3200-\u33FF]+")
_NARROW = {code: chr(code - 0xFEE0) for code in range(0xFF10, 0xFF5B) if chr(code).isalnum()}
_NARROW |= {ord("−"): "-"}
_NARROW_MARKS = _NARROW | {
    ord(wide): narrow
    for wide, narrow in zip("。、，！？：；（）「」『』", ".,,!?:;()“”“”", strict=True)
}


def speakable_text(text: OffsetText, language: Language) -> OffsetText:
    """`text` without what makes no sound, in the form that the phonemizers take.

    Emoji and invisible characters go, wide characters become narrow, numbers too long to have a
    name are spelled, endless words get breaks. Raises BadInputError when nothing is left to speak,
    and for characters of a script without phonemes in this language, naming them.
    """
    if not unicodedata.is_normalized("NFC", text.text):
        text = text.replaced(_GRAPHEME, lambda one: unicodedata.normalize("NFC", one[0]))
    # Where words have no spaces between them, the wide marks are what ends sentences.
    text = text.translated(_NARROW_MARKS if language.parted_by_spaces else _NARROW)
    text = text.replaced(_NEW_LINE, "\n")
    text = text.replaced(_EMOJI_BEFORE_A_BREAK, "").replaced(_EMOJI_BETWEEN_WORDS, " ")
    text = text.replaced(_INVISIBLE, "").replaced(_SPACES, " ")
    _refuse_other_scripts(text.text, language)
    if not may_have_voice(text.text):
        raise nothing_to_speak()
    if not language.parted_by_spaces:
        return text.replaced(_COMPATIBLE, lambda found: unicodedata.normalize("NFKC", found[0]))
    text = text.replaced(_LONG_NUMBER, lambda number: " ".join(re.findall(r"\d", number[0])))
    return text.replaced(_LONG_WORD, lambda word: " ".join(_pieces(word[0])))


def may_have_voice(text: str) -> bool:
    """False for punctuation and space alone; a symbol may have a name or not."""
    return _PERHAPS_VOICED.search(text) is not None


def nothing_to_speak() -> BadInputError:
    """The error for a text of which nothing is left."""
    return BadInputError(
        _("There is nothing to speak in this text."), _("Type at least one word or number.")
    )


def no_phonemes(language: Language, characters: Iterable[str]) -> BadInputError:
    """The error that names the `characters` (each once) that cannot be spoken."""
    different = list(dict.fromkeys(characters))
    named = [c if c.isprintable() else f"U+{ord(c):04X}" for c in different[:_NAMED_AT_MOST]]
    hidden = len(different) - len(named)
    more = _(" and {count} more", count=hidden) if hidden else ""
    return BadInputError(
        _(
            "{name} has no phonemes for {named}{more}.",
            name=_(language.name),
            named=", ".join(named),
            more=more,
        ),
        _("Choose the language that the text is written in, or leave these characters out."),
    )


def _refuse_other_scripts(text: str, language: Language) -> None:
    known = "".join(
        rf"\p{{Script={name}}}" for name in (*language.scripts, "Common", "Inherited", "Greek")
    )
    # A single Greek letter is a symbol with a name (β, Ω); a Greek word is a word.
    foreign = regex.findall(rf"[^{known}]|\p{{Script=Greek}}{{2,}}|\p{{Co}}|\p{{Cs}}", text)
    foreign = [found for found in foreign if found != PLACEHOLDER]
    if foreign:
        raise no_phonemes(language, "".join(foreign))


def _pieces(word: str) -> Iterator[str]:
    """`word` in pieces that the phonemizers can take, cut between its parts where it has some."""
    piece, parts = "", 0
    for part in _WORD_PART.findall(word):
        if piece and (parts == _MOST_PARTS or len(piece) + len(part) > _LONGEST_WORD):
            yield piece
            piece, parts = "", 0
        while len(part) > _LONGEST_WORD:
            end = _LONGEST_WORD
            while end > 1 and unicodedata.category(part[end]).startswith("M"):
                end -= 1
            yield part[:end]
            part = part[end:]
        piece, parts = piece + part, parts + 1
    yield piece
