"""Amounts of money, numbers with units, degrees, and signs before numbers."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import regex

from modules.core_components.text.reading.numbers import RANGE_MARKS, spaced
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.symbols import (
    CURRENCY_CODES,
    CURRENCY_OF_SYMBOL,
    NEVER_WITHOUT_SPACE,
    ONLY_WITHOUT_SPACE,
    PER,
    UNITS,
    VULGAR,
)

_MINUS = "-−–"


def read_money(text: OffsetText, rules: Rules) -> OffsetText:
    """Amounts with the sign or code of a currency before or after them."""
    if not any(map(str.isnumeric, text.text)):
        return text
    pattern, say = _money_pattern(rules)
    return text.replaced(pattern, say)


def read_units(text: OffsetText, rules: Rules) -> OffsetText:
    """Numbers and ranges with a unit, with or without a space: 5 km, 40cm, 30 m², 60 km/h."""
    if not any(map(str.isnumeric, text.text)):
        return text
    for pattern, say in _unit_patterns(rules):
        text = text.replaced(pattern, say)
    return text


def read_signs_before_numbers(text: OffsetText, rules: Rules) -> OffsetText:
    """~50, <50, #1, ±5."""
    signs = rules.signs_before_numbers
    if not signs:
        return text
    return text.replaced(_sign_pattern(rules), lambda found: _sign(found, rules))


def _sign(found: Any, rules: Rules) -> str:
    words = rules.signs_before_numbers[found["sign"]]
    before = found.string[: found.start()].split()
    # "about ~50" says it once.
    if before and before[-1].lower() in rules.approximately and words in rules.approximately:
        return ""
    return f"{words} "


@lru_cache(maxsize=32)
def _sign_pattern(rules: Rules) -> Any:
    letter = rules.letter
    signs = "|".join(map(regex.escape, sorted(rules.signs_before_numbers, key=len, reverse=True)))
    money = "".join({symbol for symbol in CURRENCY_OF_SYMBOL if len(symbol) == 1})
    return regex.compile(
        rf"(?<![\p{{N}}{letter})+=×÷*/^])(?<![\p{{N}})+=×÷*/^]\s)(?P<sign>{signs})(?:"
        rf"(?<![<>=])[ \u00a0])?(?=[{money}]?[{_MINUS}]?[.,]?\p{{N}})"
    )


@lru_cache(maxsize=32)
def _money_pattern(rules: Rules) -> tuple[Any, Any]:
    letter = rules.letter
    symbols = sorted(CURRENCY_OF_SYMBOL, key=len, reverse=True)
    letters = [s for s in symbols if s[-1].isalpha() or s[-1] == "."]
    signs = [s for s in symbols if s not in letters]
    before = "|".join(map(regex.escape, signs))
    before_letters = "|".join(map(regex.escape, ("RMB", "Rs.", "Rs", "SFr.", "Fr.")))
    codes = "|".join(sorted(CURRENCY_CODES))
    after = "|".join(map(regex.escape, [*signs, "円", "zł", "Kč", "Ft", "kr", "RMB"]))
    named = {
        name: code
        for code, both in rules.currencies.items()
        if code in CURRENCY_CODES or code == "$"
        for name in both
        if " " not in name
    }
    names = _alternatives(named) or "(?!)"
    sizes = "|".join(map(regex.escape, sorted(rules.magnitudes, key=len, reverse=True))) or "(?!)"
    number = rules.number
    space = r"[ \u00a0\u202f]?"
    size = rf"(?:{space}(?P<size>{sizes})(?![{letter}\p{{N}}]))?"
    of = rf"{space}(?:{rules.of_magnitude}{space})?" if rules.of_magnitude else space
    last = rf"(?:{space}[{RANGE_MARKS}]{space}(?:{before}|{codes})?(?P<last>(?>{number})))?"
    amount = rf"(?P<first>(?>{number})){last}"
    pattern = regex.compile(
        rf"(?<![{letter}\p{{N}}])(?:"
        rf"(?P<minus>[{_MINUS}])?(?<![{letter}\p{{N}}][{_MINUS}])(?:(?P<sign>{before})|"
        rf"(?P<code>(?:{codes}|{before_letters})(?!{letter}))){space}"
        rf"(?P<minus2>[{_MINUS}])?{amount}{size}(?:{space}"
        rf"(?P<twice>{codes})(?!{letter}))?(?!\d)"
        rf"|(?P<minus>(?<![\p{{N}}])[{_MINUS}])?(?<![\p{{N}}.,])"
        rf"{amount}{size}{of}(?:(?P<sign>{after})|(?P<code>{codes})"
        rf"|(?P<named>{names}))(?![{letter}\p{{N}}])"
        rf"|(?P<minus>[{_MINUS}])?(?P<cents>\d{{1,2}}){space}(?P<coin>[¢₵])"
        rf")(?:{space}/{space}(?P<per>{_alternatives(PER)})(?![{letter}\p{{N}}]))?"
    )

    def say(found: Any) -> str:
        minus = f"{rules.minus} " if found["minus"] or found["minus2"] else ""
        if found["coin"]:
            cents = int(found["cents"])
            words = f"{rules.cardinal(cents)} {rules.small_unit('USD', cents)}"
            return spaced(found, minus + words)
        written = found["sign"] or found["code"] or named[found["named"]]
        code = CURRENCY_OF_SYMBOL.get(written, written)
        # "US$" says more than "$", if the language has a name for it.
        code = written if written in rules.currencies else found["twice"] or code
        size = found["size"] or ""
        if found["last"]:
            first = rules.say(found["first"], rules.currency_gender(code))
            words = f"{first} {rules.to} {rules.money(found['last'], code, size)}"
        else:
            words = rules.money(found["first"], code, size)
        per = f" {rules.per_unit(UNITS.get(found['per'], ''))}" if found["per"] else ""
        return spaced(found, minus + words + per)

    return pattern, say


def _alternatives(symbols: Any) -> str:
    return "|".join(map(regex.escape, sorted(symbols, key=len, reverse=True)))


@lru_cache(maxsize=32)
def _unit_patterns(rules: Rules) -> tuple[tuple[Any, Any], ...]:
    number = rules.number
    letter = rules.letter
    space = r"[ \u00a0\u202f]?"
    units = {symbol: name for symbol, name in UNITS.items() if symbol not in rules.no_units}
    units.update(rules.more_units)
    glued = _alternatives(symbol for symbol in units if symbol not in NEVER_WITHOUT_SPACE)
    apart = _alternatives(symbol for symbol in units if symbol not in ONLY_WITHOUT_SPACE)
    start = (
        rf"(?<![{letter}\p{{N}}]|\p{{N}}[.,])(?:(?P<first>(?>{number})){space}"
        rf"(?:{glued})?{space}[{RANGE_MARKS}]{space})?"
        rf"(?P<minus>[{_MINUS}])?(?P<number>(?>{number}))"
    )
    vulgar = r"(?:(?<=(?<!\d)\d{1,9})(?P<vulgar>[½¼¾]))?"
    edge = rf"(?![{letter}\p{{N}}²³]|[-‐]{letter}|['’]{letter})"
    pattern = regex.compile(
        rf"{start}{vulgar}(?:(?P<unit>{glued})|[ \u00a0\u202f](?P<unit>{apart})|"
        rf"(?<=\d[.,]\d+)[ ](?P<unit>A|K|N|J)|-(?P<unit>km|cm|mm|kg|mph|km/h|ft|lb|GB"
        rf"|MB|TB|Hz|kHz|MHz|GHz|kW|ml|min))"
        rf"(?:/(?P<per>{_alternatives(PER)}))?{edge}"
    )

    def say(found: Any) -> str:
        unit = units[found["unit"]]
        first = ""
        if found["first"]:
            first = f"{rules.say(found['first'], rules.unit_gender(unit))} {rules.to} "
        if found["vulgar"]:
            number = rules.mixed_sign(found["number"], found["vulgar"])
            words = f"{number} {rules.unit(unit, Decimal(2))}"
        else:
            words = rules.quantity(found["number"], unit)
        per = f" {rules.per_unit(UNITS[found['per']])}" if found["per"] else ""
        words = rules.negative(words) if found["minus"] else words
        return spaced(found, f"{first}{words}{per}")

    feet = regex.compile(
        r"(?<![\p{L}\p{N}.,])(?P<feet>\d{1,3})\s?['’′]\s?(?:(?P<inches>\d{1,2}(?:\.\d)?)"
        r"(?:\s?(?:[\"”″]|''|’’)|(?![\d\p{L}'’])))"
    )
    inches = regex.compile(
        r"(?<![\p{L}\p{N}.,])(?P<inches>\d{1,3}(?:[.,]\d{1,2})?)(?:″|"
        r"(?<![\"“„][^\"”]{0,40})[\"”])(?=[\s-]?\p{L}|[\s,.;:)x×]|$)"
    )

    only_feet = regex.compile(
        r"(?<![\p{L}\p{N}.,])(?<!['‘’][^'’]{0,60})(?P<feet>\d{1,3})['’′](?=[\s-]\p{Ll}|$)"
    )

    def in_only_feet(found: Any) -> str:
        return spaced(found, rules.quantity(found["feet"], "length-foot"))

    def in_feet(found: Any) -> str:
        return spaced(found, rules.feet_inches(found["feet"], found["inches"]))

    def in_inches(found: Any) -> str:
        return spaced(
            found, rules.quantity(found["inches"].replace(",", rules.decimal_mark), "length-inch")
        )

    degrees = regex.compile(
        r"(?<![\p{L}\p{N}.,])(?P<degrees>\d{1,3})°\s?(?P<minutes>\d{1,2})[′'’]"
        r"(?:\s?(?P<seconds>\d{1,2}(?:\.\d+)?)[″\"”])?"
    )

    def in_degrees(found: Any) -> str:
        parts = [
            rules.quantity(found[group], unit)
            for group, unit in (
                ("degrees", "angle-degree"),
                ("minutes", "angle-arc-minute"),
                ("seconds", "angle-arc-second"),
            )
            if found[group]
        ]
        return spaced(found, " ".join(parts))

    part = regex.compile(
        rf"(?<![{letter}\p{{N}}.,/])(?:(?:(?P<whole>\d{{1,3}})[ ])?(?P<above>\d{{1,2}})/"
        rf"(?P<below>\d{{1,2}})"
        rf"|(?P<vulgar>[{''.join(VULGAR)}]))[ ]?(?P<unit>{apart}){edge}"
    )

    def in_parts(found: Any) -> str:
        above, below = VULGAR.get(found["vulgar"]) or (int(found["above"]), int(found["below"]))
        if below < 2:
            return str(found[0])
        whole = found["whole"]
        words = rules.mixed(int(whole), above, below) if whole else rules.fraction(above, below)
        unit = rules.unit(units[found["unit"]], Decimal(2 if whole else 1))
        return spaced(found, f"{words} {unit}")

    return (
        (degrees, in_degrees),
        (part, in_parts),
        (feet, in_feet),
        (only_feet, in_only_feet),
        (pattern, say),
        (inches, in_inches),
    )
