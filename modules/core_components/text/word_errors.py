"""Word error rate between texts as they are spoken: the front end reads both first."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection
from decimal import Decimal

import regex

from modules.core_components.text.languages import is_spaceless
from modules.core_components.text.reading.front_end import rules_for, spoken_form

_LONGEST_NUMBER = 9  # digits; what is longer (a telephone number) is read digit by digit
# Languages without rules in the front end that part the decimals with a comma.
_DECIMAL_COMMA = frozenset(
    {"nl", "pl", "ru", "uk", "cs", "sk", "da", "sv", "no", "nb", "fi", "hu", "ro", "tr", "id", "vi"}
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def numbers_in_words(text: str, language: str) -> str:
    """`text` with its digits in words of the language (ISO 639-1), where num2words knows it.

    For languages that the front end has no rules for. Which of "," and "." parts the thousands goes
    by the language.
    """
    if language in _DECIMAL_COMMA:
        text = re.sub(r"(?<=\d)[.\u00a0\u202f](?=\d{3}(?!\d))", "", text)
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    else:
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return _NUMBER.sub(lambda found: f" {_in_words(found[0], language)} ", text)


@functools.lru_cache(maxsize=4096)
def _in_words(digits: str, language: str) -> str:
    """A number such as 12 or 4.50 in words, or its digits where the language is not known."""
    import num2words

    whole = digits.partition(".")[0]
    single = len(digits) > _LONGEST_NUMBER or (len(whole) > 1 and whole.startswith("0"))
    try:
        if single:
            return " ".join(_in_words(digit, language) for digit in digits if digit.isdigit())
        value = Decimal(digits) if "." in digits else int(digits)
        return str(num2words.num2words(value, lang=language)).lower()
    except (NotImplementedError, TypeError, ValueError, OverflowError, KeyError, IndexError):
        return digits


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
# "p m" and "pm", "U S" and "US": letters that are said one by one.
_SINGLE_LETTERS = regex.compile(r"(?<!\S)(?:(?:\p{Lu} )+\p{Lu}|[ap] m)(?![\p{L}\p{N}])")
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
    if rules_for(language) is not None:
        text = spoken_form(text, language)
        text = _SINGLE_LETTERS.sub(lambda letters: letters[0].replace(" ", ""), text)
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    text = _LETTERS_WITH_STOPS.sub(lambda found: found[0].replace(".", ""), text)
    if rules_for(language) is None:
        text = numbers_in_words(text, language)
    words = _letters_only(text, language).split()
    if is_spaceless(language):
        return list("".join(words))
    if language == "en":
        words = [_ENGLISH_SHORT_FORMS.get(word, word) for word in words]
        return _AND_IN_NUMBER.sub(r"\1 ", " ".join(words)).split()
    return words


def word_error_rate(reference: str, heard: str, language: str = "en") -> float:
    """Substituted, missing and added words over the words of `reference`; 0 is every word right.

    Compounds may be written as one word or as two. In languages written without spaces:
    characters. Can exceed 1; of an empty reference it is 0 if nothing was heard and 1 otherwise.
    """
    import jiwer

    expected, got = normalize_words(reference, language), normalize_words(heard, language)
    known = {*expected, *got}
    expected, got = _join_compounds(expected, known), _join_compounds(got, known)
    if not expected:
        return 1.0 if got else 0.0
    return float(jiwer.wer(" ".join(expected), " ".join(got)))


def _join_compounds(words: list[str], known: Collection[str]) -> list[str]:
    """`words` with neighbours joined that are `known` as one: "k board" and "kboard"."""
    joined: list[str] = []
    for word in words:
        before = joined[-1] if joined else ""
        if before and before + word in known:
            joined[-1] = before + word
        else:
            joined.append(word)
    return joined


def _letters_only(text: str, language: str) -> str:
    """Letters, marks and digits; apostrophes vanish, everything else becomes a space."""
    if language == "en":  # "café" is heard as "cafe"
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    if language == "ru":
        text = text.replace("ё", "е")
    text = text.replace("'", "")
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
