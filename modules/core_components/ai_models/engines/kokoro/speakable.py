"""What of a text can be spoken: cleaned up, and refused by name where it cannot."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

import regex  # type: ignore[import-untyped]

from modules.core_components.ai_models.engines.kokoro.languages import Language
from modules.core_components.errors import BadInputError

# espeak-ng cuts words at 160 bytes (up to 3 a letter in Devanagari). misaki's time grows with the
# cube of the number of parts in a word: hyphens, digits between letters, capitals within.
_LONGEST_WORD = 50
_MOST_PARTS = 12
_WORD_PART = regex.compile(r"\p{Lu}+|[[\p{L}\p{M}'’]--\p{Lu}]+|\d+|.", flags=regex.VERSION1)
_LONG_WORD = re.compile(r"\S{13,}")
_LONG_NUMBER = re.compile(r"\d(?:[.,]?\d){18,}")
_NAMED_AT_MOST = 8

# Pictures with their modifiers and joiners. espeak-ng would read out their names.
_EMOJI = (
    r"(?:[\U0001F000-\U0001FAFF\u2600-\u27BF\u2B00-\u2BFF]|[\uFE0E\uFE0F\u20E3]"
    r"|[\U000E0000-\U000E007F]|(?<=[\p{So}\uFE0F])\u200D)+"
)
_EMOJI_BEFORE_A_BREAK = regex.compile(rf"[ \t]*{_EMOJI}(?=[\s\p{{P}}]|$)")
_EMOJI_BETWEEN_WORDS = regex.compile(_EMOJI)
# Controls and invisible marks; the joiners U+200C and U+200D shape Hindi letters and stay.
_INVISIBLE = regex.compile(r"[[\p{Cc}\p{Cf}]--[\n\t\u200C\u200D]]", flags=regex.VERSION1)
_PERHAPS_VOICED = regex.compile(r"[\p{L}\p{N}\p{S}]")
_NARROW = {
    ord(wide): narrow
    for wide, narrow in zip("。、，！？：；（）「」『』−", ".,,!?:;()“”“”-", strict=True)
}
_NARROW |= {code: chr(code - 0xFEE0) for code in range(0xFF10, 0xFF5B) if chr(code).isalnum()}


def speakable_text(text: str, language: Language) -> str:
    """`text` without what makes no sound, in the form that the phonemizers take.

    Emoji and invisible characters go, wide characters become narrow, numbers too long to have a
    name are spelled, endless words get breaks. Raises BadInputError when nothing is left to speak,
    and for characters of a script without phonemes in this language, naming them.
    """
    text = unicodedata.normalize("NFC", text).translate(_NARROW)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _EMOJI_BETWEEN_WORDS.sub(" ", _EMOJI_BEFORE_A_BREAK.sub("", text))
    text = _INVISIBLE.sub("", text)
    _refuse_other_scripts(text, language)
    if not may_have_voice(text):
        raise nothing_to_speak()
    text = _LONG_NUMBER.sub(lambda number: " ".join(re.findall(r"\d", number[0])), text)
    return _LONG_WORD.sub(lambda word: " ".join(_pieces(word[0])), text)


def may_have_voice(text: str) -> bool:
    """False for punctuation and space alone; a symbol may have a name or not."""
    return _PERHAPS_VOICED.search(text) is not None


def nothing_to_speak() -> BadInputError:
    """The error for a text of which nothing is left."""
    return BadInputError(
        "There is nothing to speak in this text.", "Type at least one word or number."
    )


def no_phonemes(language: Language, characters: Iterable[str]) -> BadInputError:
    """The error that names the `characters` (each once) that cannot be spoken."""
    different = list(dict.fromkeys(characters))
    named = [c if c.isprintable() else f"U+{ord(c):04X}" for c in different[:_NAMED_AT_MOST]]
    hidden = len(different) - len(named)
    more = f" and {hidden} more" if hidden else ""
    return BadInputError(
        f"{language.name} has no phonemes for {', '.join(named)}{more}.",
        "Choose the language that the text is written in, or leave these characters out.",
    )


def _refuse_other_scripts(text: str, language: Language) -> None:
    known = "".join(
        rf"\p{{Script={name}}}" for name in (*language.scripts, "Common", "Inherited", "Greek")
    )
    # A single Greek letter is a symbol with a name (β, Ω); a Greek word is a word.
    foreign = regex.findall(rf"[^{known}]|\p{{Script=Greek}}{{2,}}|\p{{Co}}|\p{{Cs}}", text)
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
