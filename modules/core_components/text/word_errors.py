"""Word error rate, with numbers, amounts and signs written out as they are spoken."""

from __future__ import annotations

import functools
import re
import unicodedata
from decimal import Decimal

from modules.core_components.text.languages import is_spaceless

_LONGEST_NUMBER = 9  # digits; what is longer (a telephone number) is read digit by digit
_DECIMAL_COMMA = frozenset(
    {"de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "cs", "sk", "da", "sv", "no", "nb"}
    | {"fi", "hu", "ro", "tr", "id", "vi"}
)
_YEARS = range(1100, 2100)

_PLURAL_UNITS = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen"}
_SMALL_UNITS = {"$": "cents", "€": "cents", "£": "pence"}
_UNITS = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_PERCENT = {
    "en": "percent",
    "de": "prozent",
    "fr": "pour cent",
    "es": "por ciento",
    "it": "per cento",
    "pt": "por cento",
}
_AND = {"en": "and", "de": "und", "fr": "et", "es": "y", "it": "e", "pt": "e"}

_AMOUNT = re.compile(r"([$€£¥])\s?(\d[\d,]*)(?:\.(\d\d)(?!\d))?")
_GROUPED = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)")
_AMOUNT_SIGN_LAST = re.compile(r"(?<!\d)(\d+(?:\.\d+)?)\s?([$€£¥])")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d\d)\b")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_DECADE = re.compile(r"\b(\d{3}0)s\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def numbers_in_words(text: str, language: str) -> str:
    """`text` with its digits in words of the language (ISO 639-1), where num2words knows it.

    In English four digits without a comma are read as a year (1905: nineteen oh-five). Which of
    "," and "." parts the thousands goes by the language; a currency is named after its amount.
    """
    if language in _DECIMAL_COMMA:
        text = _with_decimal_points(text)
    text = text.replace("%", f" {_PERCENT.get(language, '%')} ")
    text = text.replace("&", f" {_AND.get(language, '&')} ")
    text = _AMOUNT.sub(lambda found: _amount(found, language), text)
    text = _AMOUNT_SIGN_LAST.sub(lambda found: f"{found[1]} {_UNITS[found[2]]}", text)
    text = _GROUPED.sub(lambda found: _padded(_in_words(found[0].replace(",", ""), language)), text)
    if language == "en":
        text = _CLOCK.sub(_clock, text)
        text = _ORDINAL.sub(lambda found: _padded(_in_words(found[1], language, "ordinal")), text)
        text = _DECADE.sub(lambda found: _decade(found[1]), text)
    return _NUMBER.sub(lambda found: _padded(_number(found[0], language)), text)


def _with_decimal_points(text: str) -> str:
    """1.234,5 as 1234.5."""
    text = re.sub(r"(?<=\d)[.\u00a0\u202f](?=\d{3}(?!\d))", "", text)
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


def _amount(found: re.Match[str], language: str) -> str:
    sign, whole, small = found[1], found[2].replace(",", ""), found[3]
    if language != "en":
        return f"{whole}{f'.{small}' if small else ''} {_UNITS[sign]}"
    amount = f"{_in_words(whole, 'en')} {_UNITS[sign] if whole == '1' else _PLURAL_UNITS[sign]}"
    if not small or small == "00" or sign not in _SMALL_UNITS:
        return amount
    return f"{amount} {_in_words(str(int(small)), 'en')} {_SMALL_UNITS[sign]}"


def _clock(found: re.Match[str]) -> str:
    hour, minute = found[1], found[2]
    if minute == "00":
        return f" {_in_words(hour, 'en')} o'clock "
    oh = "oh " if minute[0] == "0" else ""
    return f" {_in_words(str(int(hour)), 'en')} {oh}{_in_words(str(int(minute)), 'en')} "


def _decade(year: str) -> str:
    words = _in_words(year, "en", "year")
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _number(digits: str, language: str) -> str:
    if language == "en" and len(digits) == 4 and digits.isdigit() and int(digits) in _YEARS:
        return _in_words(digits, language, "year")
    return _in_words(digits, language)


@functools.lru_cache(maxsize=4096)
def _in_words(digits: str, language: str, to: str = "cardinal") -> str:
    """A number such as 12 or 4.50 in words, or its digits where the language is not known."""
    import num2words

    whole = digits.partition(".")[0]
    single = len(digits) > _LONGEST_NUMBER or (len(whole) > 1 and whole.startswith("0"))
    try:
        if single:
            return " ".join(_in_words(digit, language) for digit in digits if digit.isdigit())
        value = Decimal(digits) if "." in digits else int(digits)
        return str(num2words.num2words(value, lang=language, to=to)).lower()
    except (NotImplementedError, TypeError, ValueError, OverflowError, KeyError, IndexError):
        return digits


def _padded(words: str) -> str:
    return f" {words} "


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
    if is_spaceless(language):
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
