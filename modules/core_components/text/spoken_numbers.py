"""Numbers, amounts and signs written out as they are spoken."""

from __future__ import annotations

import functools
import re
from decimal import Decimal

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
