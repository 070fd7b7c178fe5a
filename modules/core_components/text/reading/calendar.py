"""Dates and times of day in words."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import regex

from modules.core_components.text.reading.numbers import RANGE_MARKS, spaced
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.text.reading.rules import Rules


def read_dates(text: OffsetText, rules: Rules) -> OffsetText:
    """Dates in digits (2024-01-05, 3/4/2024, 05.01.2024) and with a month's name."""
    if not any(map(str.isdigit, text.text)):
        return text
    for pattern, say in _date_patterns(rules):
        text = text.replaced(pattern, say)
    return text


def read_times(text: OffsetText, rules: Rules) -> OffsetText:
    """Times of day, alone or from one to another."""
    if not any(map(str.isdigit, text.text)):
        return text
    pattern, say = _clock_pattern(rules)
    return text.replaced(pattern, say)


@lru_cache(maxsize=32)
def _date_patterns(rules: Rules) -> tuple[tuple[Any, Any], ...]:
    def in_digits(found: Any) -> str:
        day, month = int(found["day"]), int(found["month"])
        if month > 12 >= day:
            day, month = month, day
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return str(found[0])
        year = found["year"]
        if len(year) == 2:
            year = f"{'19' if int(year) > 50 else '20'}{year}"
        return spaced(found, rules.date(day, month, int(year), _word_before(found)))

    order = r"(?P<month>\d{1,2}){0}(?P<day>\d{1,2})" if rules.month_first else ""
    order = order or r"(?P<day>\d{1,2}){0}(?P<month>\d{1,2})"
    edge = rf"(?<![\d./{RANGE_MARKS}])"
    iso = rf"{edge}(?P<year>1\d{{3}}|20\d\d)-(?P<month>\d\d)-(?P<day>\d\d)(?![\d-])"
    slashed = order.replace("{0}", "/")
    dotted = order.replace("{0}", r"\.") if not rules.month_first else None
    patterns = [
        (regex.compile(iso), in_digits),
        (regex.compile(rf"{edge}{slashed}/(?P<year>\d{{4}}|\d\d)(?![\d/])"), in_digits),
    ]
    if dotted:
        patterns.append(
            (
                regex.compile(
                    rf"{edge}{dotted}\.[ \u00a0]?(?P<year>1\d{{3}}|20\d\d|\d\d(?!\.?\d))(?!\d)"
                ),
                in_digits,
            )
        )
        patterns.append(
            (
                regex.compile(
                    r"(?<![\d./])(?P<day>\d{1,2})-(?P<month>\d{1,2})-(?P<year>\d{4})(?![\d-])"
                ),
                in_digits,
            )
        )
    return (*patterns, *rules.date_patterns())


def _word_before(found: Any) -> str:
    words = found.string[: found.start()].split()
    return words[-1].lower() if words else ""


@lru_cache(maxsize=32)
def _clock_pattern(rules: Rules) -> tuple[Any, Any]:
    letter = rules.letter
    suffix = rules.clock_suffix or "(?!)"
    marks = rules.clock_marks
    time = (
        rf"(?P<hour{{0}}>[01]?\d|2[0-4])(?:"
        rf"(?:[{marks}])(?P<minute{{0}}>[0-5]\d)(?::(?P<second{{0}}>[0-5]\d))?"
        rf"(?:[ \u00a0\u202f]?(?P<suffix{{0}}>{suffix})(?!{letter}))?"
        rf"|\.(?P<minute{{0}}>[0-5]\d)[ \u00a0\u202f]?(?P<suffix{{0}}>{suffix})(?!{letter})"
        rf"|[ \u00a0\u202f]?(?P<suffix{{0}}>{suffix})(?!{letter}))"
    )
    first, last = time.replace("{0}", "_a"), time.replace("{0}", "_b")
    bare = r"(?P<bare>[01]?\d|2[0-4])"
    pattern = regex.compile(
        rf"(?<![\d.:/,€$£¥{RANGE_MARKS}])(?:{first}(?:\s?[{RANGE_MARKS}]\s?{last})?"
        rf"|{bare}\s?[{RANGE_MARKS}]\s?{last})(?![\d:]|[.,]\d)",
        flags=regex.IGNORECASE,
    )

    def one(found: Any, part: str) -> str:
        second = found[f"second_{part}"]
        suffix = (found[f"suffix_{part}"] or "").strip()
        minute = int(found[f"minute_{part}"] or 0)
        return rules.clock(
            int(found[f"hour_{part}"]), minute, None if second is None else int(second), suffix
        )

    def say(found: Any) -> str:
        if found["hour_a"] is None:
            words = f"{rules.cardinal(int(found['bare']))} {rules.to} {one(found, 'b')}"
        elif found["hour_b"] is None:
            words = one(found, "a")
        else:
            words = f"{one(found, 'a')} {rules.to} {one(found, 'b')}"
        # A full stop that belongs to "p.m." may end the sentence as well.
        following = found.string[found.end() :].lstrip()
        ends = found[0].endswith(".") and (not following or following[0].isupper())
        return spaced(found, f"{words}." if ends else words)

    return pattern, say
