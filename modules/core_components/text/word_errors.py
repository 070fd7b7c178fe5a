"""How many words were heard otherwise than they were written."""

from __future__ import annotations

import re
import unicodedata

from modules.core_components.text.spoken_numbers import numbers_in_words

# Scripts without spaces between words: there characters are compared.
_CHARACTER_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})

_ENGLISH_SHORT_FORMS = {
    "mr": "mister",
    "mrs": "missus",
    "ms": "miss",
    "dr": "doctor",
    "st": "saint",
    "prof": "professor",
    "jr": "junior",
    "sr": "senior",
    "vs": "versus",
    "etc": "et cetera",
    "okay": "ok",
}
_LETTERS_WITH_STOPS = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_MINUS = re.compile(r"(?<![\w-])[-−](?=\d)")
_NUMBER_WORD = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
)
# "one hundred and five", "four dollars and fifty cents": said with and without the "and".
_AND_IN_NUMBER = re.compile(
    rf"\b(hundred|thousand|million|billion|dollars?|euros?|pounds?) and (?={_NUMBER_WORD}\b)"
)


def normalize_words(text: str, language: str = "en") -> list[str]:
    """The words as they sound: without case and punctuation, numbers written out.

    For languages written without spaces (Chinese, Japanese, Thai...) the single characters.
    `language` is ISO 639-1, a region after a hyphen is passed over.
    """
    language = language.lower().split("-")[0]
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    text = _LETTERS_WITH_STOPS.sub(lambda found: found[0].replace(".", ""), text)
    if language == "en":
        text = _MINUS.sub(" minus ", text)
    text = numbers_in_words(text, language)
    words = _letters_only(text, language).split()
    if language in _CHARACTER_LANGUAGES:
        return list("".join(words))
    if language == "en":
        words = [_ENGLISH_SHORT_FORMS.get(word, word) for word in words]
        return _AND_IN_NUMBER.sub(r"\1 ", " ".join(words)).split()
    return words


def word_error_rate(reference: str, heard: str, language: str = "en") -> float:
    """Substituted, missing and added words over the words of `reference`; 0 is every word right.

    In languages written without spaces: characters. Can exceed 1; of an empty reference it is 0
    if nothing was heard and 1 otherwise.
    """
    import jiwer

    expected, got = normalize_words(reference, language), normalize_words(heard, language)
    if not expected:
        return 1.0 if got else 0.0
    return float(jiwer.wer(" ".join(expected), " ".join(got)))


def _letters_only(text: str, language: str) -> str:
    """Letters, marks and digits; apostrophes vanish, everything else becomes a space."""
    if language == "en":  # "café" is heard as "cafe"
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    if language == "ru":
        text = text.replace("ё", "е")
    text = text.replace("'", "")
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
