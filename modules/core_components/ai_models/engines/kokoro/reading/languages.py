"""The languages that Kokoro speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modules.core_components.errors import BadInputError
from modules.core_components.text.language_codes import match_language
from modules.core_components.texts import _, mark


@dataclass(frozen=True)
class Language:
    """A language as Kokoro knows it; `name` is shown by `_`.

    `letter` begins the names of its voices and is its code in the package `kokoro`; `scripts` are
    the Unicode scripts whose letters have phonemes in it; `parted_by_spaces` says whether words
    have spaces between them.
    """

    code: str
    name: str
    letter: str
    scripts: tuple[str, ...] = ("Latin",)
    parted_by_spaces: bool = True

    @property
    def is_english(self) -> bool:
        """English has misaki's dictionary and tagger."""
        return self.letter in "ab"


LANGUAGES: Mapping[str, Language] = {
    language.code: language
    for language in (
        Language("en-us", mark("American English"), "a"),
        Language("en-gb", mark("British English"), "b"),
        Language("es", mark("Spanish"), "e"),
        Language("fr-fr", mark("French"), "f"),
        Language("hi", mark("Hindi"), "h", ("Devanagari", "Latin")),
        Language("it", mark("Italian"), "i"),
        Language("pt-br", mark("Brazilian Portuguese"), "p"),
        Language("ja", mark("Japanese"), "j", ("Han", "Hiragana", "Katakana", "Latin"), False),
        Language("zh", mark("Mandarin Chinese"), "z", ("Han", "Latin"), False),
    )
}


def get_language(code: str) -> Language:
    """The language of that code; BadInputError for any other."""
    if code not in LANGUAGES:
        raise BadInputError(
            _("Kokoro does not speak {code!r}.", code=code),
            _("Choose one of {languages}.", languages=", ".join(LANGUAGES)),
            "language",
        )
    return LANGUAGES[code]


def language_of(code: str) -> Language:
    """The language of a code as people write it ("en", "pt", "zh-CN"), or of Kokoro's letter for
    it; BadInputError for any other."""
    letters = {language.letter: language for language in LANGUAGES.values()}
    if code in letters:
        return letters[code]
    return get_language(match_language(code, tuple(LANGUAGES)) or code)
