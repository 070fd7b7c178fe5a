"""How a language reads numbers, amounts, times, dates and signs.

`Rules` answers with what CLDR (Babel) and num2words know of a language; each language's own class
fills in and overrides what they do not know. The steps in `numbers`, `quantities`, `calendar` and
`words` find what is to be read and ask these rules for the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import regex

from modules.core_components.text.reading.symbols import VULGAR

_MILLION = 1_000_000
# A pattern, and the words for a match of it.
Abbreviation = tuple[str, str | Callable[[Any], str]]
NO_WORDS: Mapping[str, str] = MappingProxyType({})


class Rules:
    """One language. Attributes are words and marks; methods make words of values.

    `language` is its code in ISO 639-1, `locale` in CLDR, `converter` in num2words, `region` where
    a telephone number without a country's code belongs (ISO 3166).
    """

    language: ClassVar[str] = ""
    locale: ClassVar[str] = ""
    converter: ClassVar[str] = ""
    region: ClassVar[str] = ""

    # Characters between groups of three digits (a class of a regular expression), decimal marks.
    group_marks: ClassVar[str] = ","
    decimal_mark: ClassVar[str] = "."
    decimal_marks_in_words: ClassVar[Mapping[str, str]] = NO_WORDS  # "." -> "point"

    # Numbers with more digits than this have no name that anyone would say: they are spelled.
    longest_number: ClassVar[int] = 15
    # Decimals of several digits are one number ("tres coma catorce") up to so many digits.
    longest_decimals: ClassVar[int] = 1

    # Between the ends of a range ("three to five"), before a negative number.
    to: ClassVar[str] = "-"
    minus: ClassVar[str] = "-"
    ratio: ClassVar[str] = ":"  # between the numbers of 16:9
    and_: ClassVar[str] = "&"
    # Between an amount and its small coins: "five dollars and ten cents"; "" for none.
    money_joiner: ClassVar[str] = " "
    # "of" after a magnitude: "tres millones de euros".
    of_magnitude: ClassVar[str] = ""
    per: ClassVar[str] = "/"

    # A sign by itself -> words; before a number -> words (with `{}` for the number after it).
    signs: ClassVar[Mapping[str, str]] = NO_WORDS
    signs_before_numbers: ClassVar[Mapping[str, str]] = NO_WORDS
    # Words for "about", one of which is said where "~" follows another.
    approximately: ClassVar[frozenset[str]] = frozenset()
    # What is said in addresses: "@", ".", "/", "-", "_", ":" ...
    address_marks: ClassVar[Mapping[str, str]] = NO_WORDS
    # After a single letter: C++, C#, A*.
    name_signs: ClassVar[Mapping[str, str]] = NO_WORDS
    hashtag: ClassVar[str] = ""  # said for the # of a hashtag, with a space after it
    # Words in capitals that are spelled, or said, as they stand.
    acronyms: ClassVar[frozenset[str]] = frozenset()
    # Currencies (ISO 4217) -> (one, several) where the short name is not CLDR's.
    currencies: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})
    small_units: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})
    # "m", "bn", "million" after an amount -> (one, several).
    magnitudes: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})
    # Units' symbols (as in `symbols.UNITS`) of which the language has other words: (one, several).
    unit_names: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})
    # Symbols that are words or something else in this language; and the language's own symbols.
    no_units: ClassVar[frozenset[str]] = frozenset()
    more_units: ClassVar[Mapping[str, str]] = NO_WORDS
    # Abbreviations -> words, by a pattern's source; see `words`.
    abbreviations: ClassVar[tuple[Abbreviation, ...]] = ()
    # First parts of words that keep their hyphen where a line ends in it: well-known.
    hyphen_parts: ClassVar[frozenset[str]] = frozenset()
    # Nouns before or after which a Roman numeral stands, as patterns.
    roman_heads: ClassVar[str] = ""
    roman_heads_after: ClassVar[str] = ""
    # A class of letters that belong to the same word as a digit next to them.
    letter: ClassVar[str] = r"\p{L}"
    phone_joiner: ClassVar[str] = ", "
    # Whether emoji, control characters and signs without words are left out before speaking.
    drops_unspoken: ClassVar[bool] = False
    # Whether a number of four digits is read as a year wherever it stands.
    bare_years: ClassVar[bool] = True
    # Words before a telephone number that could also be a large number.
    phone_cues: ClassVar[str] = "(?!)"
    roman_suffix: ClassVar[str] = ""  # a pattern of what stands after the numeral: "er", "."
    # Between a day and its month: "5 de enero"; after its number, as a pattern; between two days.
    of_month: ClassVar[str] = ""
    day_suffix: ClassVar[str] = ""
    to_days: ClassVar[str] = "(?!)"
    # A month's short forms that CLDR does not have.
    more_months: ClassVar[Mapping[str, int]] = MappingProxyType({})
    # Whether 3/4/2024 is in March.
    month_first: ClassVar[bool] = False
    # What follows or parts the hours and minutes of a clock, as a pattern; see `calendar`.
    clock_suffix: ClassVar[str] = ""
    clock_marks: ClassVar[str] = ":"

    # -- numbers ---------------------------------------------------------------------------------

    @cached_property
    def number(self) -> str:
        """The pattern of a number without its sign: digits, groups, decimals."""
        decimal = re.escape(self.decimal_mark)
        return rf"(?:\d{{1,3}}(?:[{self.group_marks}]\d{{3}})+(?!\d)|\d+)(?:{decimal}\d+)?"

    def plain(self, digits: str) -> str:
        """A number as written, in digits with at most a full stop for its decimals."""
        grouped = re.sub(rf"[{self.group_marks}](?=\d{{3}})", "", digits)
        return grouped.replace(self.decimal_mark, ".")

    def cardinal(self, value: int, gender: str = "m") -> str:
        """12 in words; `gender` "f" where the language distinguishes."""
        return self._words(value)

    def ordinal(self, value: int, gender: str = "m") -> str:
        """12th in words."""
        return self._words(value, "ordinal")

    def year(self, value: int) -> str:
        """A year of the calendar in words."""
        return self.cardinal(value)

    def decade(self, value: int, short: bool) -> str:
        """The 1990s in words; `short` for the '90s."""
        return self.year(value)

    def digits(self, digits: str) -> str:
        """Digits one by one."""
        return " ".join(self.cardinal(int(digit)) for digit in digits if digit.isdigit())

    def say(self, digits: str, gender: str = "m") -> str:
        """A number as the language writes it, without a sign, in words."""
        plain = self.plain(digits)
        whole, mark, decimals = plain.partition(".")
        if self._is_spelled(whole):
            words = self.digits(whole)
        else:
            words = self.cardinal(int(whole), "m" if mark else gender)
        if not mark:
            return words
        point = self.decimal_marks_in_words.get(self.decimal_mark, self.decimal_mark)
        return f"{words} {point} {self.decimals(decimals)}"

    def decimals(self, digits: str) -> str:
        """What stands after the decimal mark, in words."""
        if digits[0] == "0" or len(digits) > self.longest_decimals:
            return self.digits(digits)
        return self.cardinal(int(digits))

    def counted(self, value: int, following: str) -> str:
        """A whole number before the word `following` ("" for none), in its gender."""
        return self.cardinal(value)

    def say_part(self, digits: str) -> str:
        """Digits alone, such as a part of a version; leading zeros one by one."""
        value = "".join(str(int(digit)) for digit in digits)
        return self.digits(value) if self._is_spelled(value) else self.cardinal(int(value))

    def _is_spelled(self, digits: str) -> bool:
        return len(digits) > self.longest_number or (len(digits) > 1 and digits[0] == "0")

    def number_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        """Patterns of numbers in the language's own forms (ordinals, decades), in order, and what
        a match is in words."""
        return ()

    def fraction(self, above: int, below: int) -> str:
        """1/2 in words."""
        raise NotImplementedError

    def mixed(self, whole: int, above: int, below: int) -> str:
        """2 1/2 in words."""
        return f"{self.cardinal(whole)} {self.and_} {self.fraction(above, below)}"

    def phone(self, group: str) -> str:
        """A group of digits of a telephone number."""
        return self.digits(group)

    def roman(self, value: int, head: str, before: str = "") -> str:
        """A Roman numeral with the noun or name `head`; `before` is the word before a numeral that
        its noun follows."""
        return self.cardinal(value)

    # -- money and units -------------------------------------------------------------------------

    def currency(self, code: str, value: Decimal) -> str:
        """The currency's name for that many of it."""
        one, several = self.currencies.get(code) or self._currency_names(code)
        return one if self.is_one(value) else several

    def small_unit(self, code: str, value: int) -> str:
        """The name of its hundredth part for that many of it; "" where it has none."""
        names = self.small_units.get(code)
        return "" if names is None else names[0 if self.is_one(Decimal(value)) else 1]

    def currency_gender(self, code: str) -> str:
        """The gender that numbers before the currency take."""
        return "m"

    def unit_gender(self, unit: str) -> str:
        """The gender that numbers before the unit (a symbol or a CLDR name) take."""
        return "m"

    def is_one(self, value: Decimal) -> bool:
        """Whether the noun after that number stands in the singular."""
        return value == 1

    def money(self, amount: str, code: str, magnitude: str = "") -> str:
        """An amount as written, without its sign, with its currency."""
        plain = self.plain(amount)
        value = Decimal(plain)
        gender = self.currency_gender(code)
        if magnitude:
            one, several = self.magnitudes[magnitude]
            size = one if self.is_one(value) else several
            name = self.of_currency(self.currency(code, Decimal(2)))
            return f"{self.say(amount, 'n')} {size} {name}"
        whole, _, small = plain.partition(".")
        small_name = self.small_unit(code, int(small)) if len(small) == 2 else ""
        if small == "00" or (small and small_name):
            amount_words = f"{self.say(whole, gender)} {self.currency(code, Decimal(int(whole)))}"
            if small == "00":
                return amount_words
            small_words = f"{self.say(str(int(small)), 'n')} {small_name}"
            if int(whole) == 0:
                return small_words
            return f"{amount_words}{self.money_joiner}{small_words}"
        name = self.currency(code, value)
        if plain.isdigit() and int(plain) >= _MILLION and int(plain) % _MILLION == 0:
            name = self.of_currency(name)
        return f"{self.say(amount, gender)} {name}"

    def of_currency(self, name: str) -> str:
        """A currency's name after millions: "de euros"."""
        return f"{self.of_magnitude} {name}" if self.of_magnitude else name

    def unit(self, unit: str, value: Decimal) -> str:
        """The name of a unit, by its name in CLDR ("length-kilometer"), for that many of it."""
        names = self.unit_names.get(unit)
        if names is not None:
            return names[0 if self.is_one(value) else 1]
        return self._unit_name(unit, self.is_one(value))

    def quantity(self, number: str, unit: str) -> str:
        """A number in words and the unit after it; overridden where the unit goes before it."""
        value = Decimal(self.plain(number))
        return f"{self.say(number, self.unit_gender(unit))} {self.unit(unit, value)}"

    def negative(self, words: str) -> str:
        """A number or a quantity in words, below zero."""
        return f"{self.minus} {words}"

    def mixed_sign(self, whole: str, sign: str) -> str:
        """2½ in words."""
        return self.mixed(int(self.plain(whole)), *VULGAR[sign])

    def feet_inches(self, feet: str, inches: str) -> str:
        """5'10" in words."""
        return f"{self.quantity(feet, 'length-foot')} {self.quantity(inches, 'length-inch')}"

    def per_unit(self, unit: str) -> str:
        """ "per second" for a unit after a stroke."""
        return f"{self.per} {self.unit(unit, Decimal(1))}"

    # -- the calendar ----------------------------------------------------------------------------

    @cached_property
    def months(self) -> Mapping[str, int]:
        """The names of months and their short forms, in lower case and without full stops."""
        from babel import Locale

        names: dict[str, int] = {}
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in Locale.parse(self.locale).months[context][width].items():
                    names.setdefault(name.lower().rstrip("."), number)
        return {**names, **self.more_months}

    def month_name(self, month: int) -> str:
        """The month's whole name."""
        from babel import Locale

        return str(Locale.parse(self.locale).months["format"]["wide"][month])

    def day(self, day: int, before: str) -> str:
        """A day of the month in words; `before` is the word that stands before it."""
        return self.cardinal(day)

    def date(self, day: int, month: int, year: int | None, before: str = "") -> str:
        """A day of the calendar in words; `before` is the word that stands before it."""
        of = f" {self.of_month} " if self.of_month else " "
        words = f"{self.day(day, before)}{of}{self.month_name(month)}"
        return words if year is None else f"{words}{of}{self.year(year)}"

    def date_patterns(self) -> tuple[tuple[Any, Callable[[Any], str]], ...]:
        """Patterns of dates with a month's name, in order, and what a match is in words.

        Here: a day, perhaps a second one, a month, perhaps a year.
        """
        names = "|".join(sorted(map(re.escape, self.months), key=len, reverse=True))
        of = rf"(?: {self.of_month})?" if self.of_month else ""
        pattern = regex.compile(
            rf"(?<![\p{{L}}\p{{N}}.,/])(?:(?P<first>\d{{1,2}}){self.day_suffix}\s?"
            rf"(?:[-–—]|{self.to_days})\s?)?(?P<day>\d{{1,2}}){self.day_suffix}{of} "
            rf"(?P<month>{names})(?:\.(?= ?\p{{Ll}}| \d)|(?!\p{{L}}))"
            rf"(?:{of} (?P<year>1\d{{3}}|20\d\d)(?![\d.,]\d|\d))?",
            flags=regex.IGNORECASE,
        )

        def say(found: Any) -> str:
            month = self.months[found["month"].lower().rstrip(".")]
            words = found.string[: found.start()].split()
            before = words[-1].lower() if words else ""
            year = int(found["year"]) if found["year"] else None
            if not 1 <= int(found["day"]) <= 31:
                return str(found[0])
            date = self.date(int(found["day"]), month, year, before)
            if found["first"]:
                date = f"{self.day(int(found['first']), before)} {self.to} {date}"
            return date

        return ((pattern, say),)

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str:
        """A time of day in words; `suffix` is what stood after it ("pm", "Uhr")."""
        raise NotImplementedError

    def duration(self, hour: int, minute: int, second: int) -> str:
        """2:30:15 as hours, minutes and seconds."""
        hours, minutes, seconds = (
            self.quantity(str(value), f"duration-{unit}")
            for value, unit in ((hour, "hour"), (minute, "minute"), (second, "second"))
        )
        return f"{hours}, {minutes} {self.and_} {seconds}"

    # -- what CLDR and num2words know ------------------------------------------------------------

    def _words(self, value: int, to: str = "cardinal") -> str:
        return _number_words(value, self.converter, to)

    def _currency_names(self, code: str) -> tuple[str, str]:
        from babel.numbers import get_currency_name

        names = [str(get_currency_name(code, count, self.locale)) for count in (1, 2)]
        return names[0], names[1]

    def _unit_name(self, unit: str, one: bool) -> str:
        return _cldr_unit(unit, one, self.locale)


@lru_cache(maxsize=4096)
def _number_words(value: int, converter: str, to: str) -> str:
    from num2words import num2words

    return str(num2words(value, lang=converter, to=to)).replace(",", "")


@lru_cache(maxsize=1024)
def _cldr_unit(unit: str, one: bool, locale: str) -> str:
    from babel.units import format_unit

    written = str(format_unit(1 if one else 2, unit, length="long", locale=locale))
    return re.sub(r"[\s\u00a0\u202f]+", " ", written.replace("1" if one else "2", "")).strip()
