"""Numbers in words: Roman numerals, telephone numbers, ordinals, fractions, ranges, years."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import regex

from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.symbols import VULGAR

_YEARS = range(1100, 2100)
RANGE_MARKS = "-–—−‒~〜～"
_ROMAN = r"(?=[IVXLC])(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
# A denominator above this is a date, a score or a code more often than a fraction.
_LARGEST_DENOMINATOR = 100
_MAY_BE_PHONE = regex.compile(r"(?:\+\d|\(\d{2,5}\)|(?<![\d.,/-])\d{2,5})[\d ()./\u00a0-]{5,}\d")

_LEADING_ZERO = regex.compile(r"(?<![\d.,/-])\(?0\d{1,4}\)?(?:[ \u00a0/-]\d{2,8}){1,5}(?![\d/-])")


_BEFORE_LETTERS = regex.compile(r"[^\p{L}]*")
_WORD_BEFORE = regex.compile(r"(\p{L}+)[ \u00a0]$")
_SPACELESS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー]")
# Amharic prepositions are written together with the number after them.
_PREPOSITION = regex.compile(r"(?<!\p{L})(?:በ|ከ|ለ|የ|ስለ|እስከ|እንደ|ወደ)$")
_LONGEST_PREPOSITION = 3
_NEXT_WORD = regex.compile(r"[ \u00a0]+(\p{L}[\p{L}\p{M}]*)")


def spaced(match: Any, words: str) -> str:
    """`words` with a space on each side where a letter or digit stands there."""
    before = match.string[match.start() - 1 : match.start()] if match.start() else ""
    after = match.string[match.end() : match.end() + 1]
    left = " " if before.isalnum() and not _SPACELESS.match(before) else ""
    if left and _PREPOSITION.search(
        match.string[max(0, match.start() - _LONGEST_PREPOSITION - 1) : match.start()]
    ):
        left = ""
    right = " " if after.isalnum() and not _SPACELESS.match(after) else ""
    return f"{left}{words}{right}"


# -- Roman numerals --------------------------------------------------------------------------------


def read_roman(text: OffsetText, rules: Rules) -> OffsetText:
    """Roman numerals after a name or such words as "chapter", or before such as "siècle"."""
    if not rules.roman_heads:
        return text
    pattern = _roman_pattern(rules.roman_heads, rules.roman_heads_after, rules.roman_suffix)

    def words(found: Any) -> str:
        value = roman_value(found["roman"])
        head = found["after"] or found["head"] or ""
        # "Vitamin C", "Plan D": a letter after a name.
        if value == 0 or (found["roman"] in "CLDM" and head[:1].isupper()):
            return str(found[0])
        before = _WORD_BEFORE.search(found.string[max(0, found.start() - 30) : found.start()])
        return rules.roman(value, head, before[1] if before and found["after"] else "")

    return text.replaced(pattern, words)


@lru_cache(maxsize=32)
def _roman_pattern(heads: str, heads_after: str, suffix: str) -> Any:
    after = rf"(?=(?:\s|\u00a0)+(?P<after>{heads_after}))" if heads_after else r"(?!)"
    return regex.compile(
        rf"(?<![\p{{L}}\p{{N}}])(?P<roman>{_ROMAN})(?:e|ème|er|º|ª|\.)?{after}"
        rf"|(?<=(?<!\p{{L}})(?P<head>{heads})\.?[ \u00a0\n])(?P<roman>{_ROMAN}){suffix}"
        rf"(?![\p{{L}}\p{{N}}'’+#&])",
    )


def roman_value(numeral: str) -> int:
    """The number that a Roman numeral stands for."""
    values = [_ROMAN_DIGITS[letter] for letter in numeral.upper()]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)


# -- telephone numbers -----------------------------------------------------------------------------


def read_phones(text: OffsetText, rules: Rules) -> OffsetText:
    """Telephone numbers, in the groups in which they are written."""
    if not rules.region or not _MAY_BE_PHONE.search(text.text):
        return text
    from phonenumbers import Leniency, PhoneNumberMatcher

    grouped = re.compile(rules.number)
    changes = []
    for found in PhoneNumberMatcher(text.text, rules.region, leniency=Leniency.POSSIBLE):
        # "415-555-0137 extension 42": the word stays.
        raw = _BEFORE_LETTERS.match(found.raw_string)[0].rstrip(" ,;(")
        if not raw:
            continue
        has_groups = re.search(r"\d[ ()./\u00a0-]+\d", raw) is not None
        if not has_groups and not raw.startswith("+"):
            continue
        called = regex.search(rules.phone_cues, text.text[max(0, found.start - 30) : found.start])
        if (grouped.fullmatch(raw) and not called) or re.fullmatch(r"\d{4}\D\d{1,2}\D\d{1,2}", raw):
            continue
        groups = re.findall(r"\d+", raw)
        if len(groups) > 1 and not raw.startswith(("+", "(", "0")) and max(map(len, groups)) < 3:
            continue  # a date, a score or a list of numbers
        words = rules.phone_joiner.join(rules.phone(group) for group in groups)
        plus = f"{rules.signs_before_numbers.get('+', '+')} " if raw.startswith("+") else ""
        changes.append((found.start, found.start + len(raw), plus + words))
    # A number of another country than the language's own.
    return text.with_changes(changes).replaced(
        _LEADING_ZERO,
        lambda found: rules.phone_joiner.join(map(rules.phone, re.findall(r"\d+", found[0]))),
    )


# -- the language's own forms ----------------------------------------------------------------------


def read_ordinals(text: OffsetText, rules: Rules) -> OffsetText:
    """Ordinals, decades and whatever else each language writes in its own way."""
    if not any(map(str.isnumeric, text.text)):
        return text
    for pattern, say in _own_patterns(rules):
        text = text.replaced(pattern, say)
    return text


@lru_cache(maxsize=32)
def _own_patterns(rules: Rules) -> tuple[tuple[Any, Any], ...]:
    return rules.number_patterns()


# -- all other numbers -----------------------------------------------------------------------------


def read_numbers(text: OffsetText, rules: Rules) -> OffsetText:
    """Every number that no other step has read."""
    if not any(map(str.isnumeric, text.text)):
        return text
    for pattern, say in _number_patterns(rules):
        text = text.replaced(pattern, say)
    return text


@lru_cache(maxsize=32)
def _number_patterns(rules: Rules) -> tuple[tuple[Any, Any], ...]:
    """(pattern, what it becomes) in the order in which they apply."""
    number = rules.number
    whole = re.compile(number)
    marks = RANGE_MARKS
    letter = rules.letter
    digits = r"(?<![\d.,])\d{1,9}(?![\d])"

    def fraction(found: Any) -> str:
        above, below = int(found["above"]), int(found["below"])
        if above == below:  # 50/50
            return spaced(found, f"{rules.cardinal(above)} {rules.cardinal(below)}")
        if not 2 <= below <= _LARGEST_DENOMINATOR or above > below * 10:
            first, second = rules.say(found["above"]), rules.say(found["below"])
            return spaced(found, f"{first} {rules.signs.get('/', '')} {second}".replace("  ", " "))
        if found["whole"]:
            return spaced(found, rules.mixed(int(found["whole"]), above, below))
        return spaced(found, rules.fraction(above, below))

    def vulgar(found: Any) -> str:
        above, below = VULGAR[found["sign"]]
        if found["whole"]:
            return spaced(found, rules.mixed(int(found["whole"]), above, below))
        return spaced(found, rules.fraction(above, below))

    def years(found: Any) -> str:
        first, second = found["first"], found["second"]
        last = rules.year(int(second)) if len(second) == 4 else rules.cardinal(int(second))
        return spaced(found, f"{rules.year(int(first))} {rules.to} {last}")

    def ends(found: Any) -> str:
        first, last = rules.say(found["first"]), rules.say(found["last"])
        return spaced(found, f"{first} {rules.to} {last}")

    def plain(found: Any) -> str:
        written = found[0]
        if rules.bare_years and written.isdigit() and len(written) == 4 and int(written) in _YEARS:
            return spaced(found, rules.year(int(written)))
        if whole.fullmatch(written):
            value = rules.plain(written)
            if value.isdigit() and (value == "0" or value[0] != "0") and len(value) <= 15:
                following = _NEXT_WORD.match(found.string, found.end())
                noun = following[1] if following else ""
                return spaced(found, rules.counted(int(value), noun))
            return spaced(found, rules.say(written))
        # A mark that the language does not put there: 3,5 in English.
        parts = re.split(r"([.,])", written)
        words = [rules.decimal_marks_in_words.get(part) or rules.say_part(part) for part in parts]
        return spaced(found, " ".join(words))

    def version(found: Any) -> str:
        if whole.fullmatch(found[0]):
            return str(found[0])  # 1.000.000
        point = rules.decimal_marks_in_words.get(".", ".")
        return spaced(found, f" {point} ".join(map(rules.say_part, found[0].split("."))))

    def part(found: Any) -> str:
        point = rules.decimal_marks_in_words.get(rules.decimal_mark, "")
        return spaced(found, f"{point} {rules.decimals(found['decimals'])}")

    def code(found: Any) -> str:
        return spaced(found, " ".join(map(rules.digits, re.findall(r"\d+", found[0]))))

    starts = r"(?:(?<=\s)|(?<=^)|(?<=[(“\"'/=<>~≈]))" if rules.bare_years else ""
    signed = regex.compile(rf"(?<![{letter}\p{{N}}.,)%°\]-]){starts}[-−–](?=[\d.,]*\d)")
    result: list[tuple[Any, Any]] = [
        # 978-3-16-148410-0
        (regex.compile(r"(?<![\p{L}\d-])\d+(?:-\d+){2,}(?![\p{L}\d-])"), code),
        (regex.compile(rf"(?:(?<whole>{digits})[ \u00a0]?)?(?<sign>[{''.join(VULGAR)}])"), vulgar),
        (
            regex.compile(
                r"(?<![\d.,/])(?:(?<whole>\d{1,3})[ \u00a0])?(?<above>\d{1,3})[/⁄]"
                r"(?<below>\d{1,3})(?![\d/]|[.,]\d)"
            ),
            fraction,
        ),
        (
            regex.compile(
                rf"(?<![{marks}\d.,])(?P<first>1[1-9]\d\d|20\d\d)\s?[{marks}]\s?"
                rf"(?P<second>1[1-9]\d\d|20\d\d|\d\d)(?![\d{marks}]|[.,]\d)"
            ),
            years,
        ),
        (regex.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d])"), version),
        (
            regex.compile(
                rf"(?<![{marks}{letter}\d.,])(?P<first>{number})(?:\s?[–—‒〜～]\s?|[-−~])"
                rf"(?P<last>{number})(?![\d{marks}]|[.,]\d)"
            ),
            ends,
        ),
        (signed, f"{rules.minus} "),
        # 16:9, 3:2; times have been read.
        (
            regex.compile(r"(?<=(?<![\d:.,])\d{1,4}):(?=\d{1,4}(?![\d:.,]\d|\d))"),
            f" {rules.ratio} ",
        ),
        (regex.compile(r"(?<![\p{L}\p{N}])['’](?=\d\d(?!\d))"), ""),  # '90
        (regex.compile(r"(?<=\p{L})[-‐‑](?=\d)|(?<=\d)[-‐‑](?=\p{L})"), " "),
        # ".5"
        (
            regex.compile(rf"(?<![\d{letter}.]){re.escape(rules.decimal_mark)}(?P<decimals>\d+)"),
            part,
        ),
        (regex.compile(rf"(?<!\d){number}(?:[.,]\d+)*"), plain),
        # Digits of other scripts.
        (regex.compile(r"\d+"), lambda found: spaced(found, rules.say_part(found[0]))),
    ]
    return tuple(result)
