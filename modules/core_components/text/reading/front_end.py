"""The text front end: what people write, in the words in which it is said.

Every step takes a text with the offsets of its characters in the original and gives one back, so
that word times and subtitles still point into what was written. Languages without rules of their
own here get the steps that need none.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import regex

from modules.core_components.errors import BadInputError
from modules.core_components.text.reading.amharic import Amharic
from modules.core_components.text.reading.calendar import read_dates, read_times
from modules.core_components.text.reading.east_asian import Japanese, Mandarin
from modules.core_components.text.reading.english import AmericanEnglish, BritishEnglish
from modules.core_components.text.reading.formatting import without_formatting
from modules.core_components.text.reading.french import French
from modules.core_components.text.reading.german import German
from modules.core_components.text.reading.hindi import Hindi
from modules.core_components.text.reading.italian import Italian
from modules.core_components.text.reading.numbers import (
    read_numbers,
    read_ordinals,
    read_phones,
    read_roman,
)
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.text.reading.portuguese import BrazilianPortuguese
from modules.core_components.text.reading.quantities import (
    read_money,
    read_signs_before_numbers,
    read_units,
)
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.spanish import Spanish
from modules.core_components.text.reading.words import (
    UNSPOKEN,
    plain_characters,
    read_abbreviations,
    read_addresses,
    read_capitals,
    read_signs,
    read_unspoken,
)
from modules.core_components.texts import _, mark


@dataclass(frozen=True)
class Step:
    """One step of the reading; `apply` may need the language's rules or not.

    The page translates `name` and `about`.
    """

    name: str
    about: str
    apply: Callable[[OffsetText, Rules], OffsetText]
    needs_rules: bool = True


_RULES: Mapping[str, type[Rules]] = {
    "en-us": AmericanEnglish,
    "en-gb": BritishEnglish,
    "es": Spanish,
    "fr-fr": French,
    "it": Italian,
    "pt-br": BrazilianPortuguese,
    "de": German,
    "hi": Hindi,
    "ja": Japanese,
    "zh": Mandarin,
    "am": Amharic,
}
RULED_LANGUAGES = tuple(_RULES)  # those with rules of their own

STEPS: tuple[Step, ...] = (
    Step(
        mark("characters"),
        mark("Apostrophes, spaces, hyphens at line ends"),
        plain_characters,
        False,
    ),
    Step(
        mark("formatting"),
        mark("Markdown, HTML, SSML tags, entities"),
        lambda text, _rules: without_formatting(text),
        False,
    ),
    Step(
        mark("addresses"), mark("Web and mail addresses, files, names with signs"), read_addresses
    ),
    Step(mark("roman"), mark("Roman numerals"), read_roman),
    Step(mark("capitals"), mark("Sentences in capitals"), read_capitals),
    Step(mark("dates"), mark("Dates"), read_dates),
    Step(mark("abbreviations"), mark("Abbreviations"), read_abbreviations),
    Step(mark("times"), mark("Times of day"), read_times),
    Step(mark("phones"), mark("Telephone numbers"), read_phones),
    Step(mark("signs before numbers"), "~50, <50, #1", read_signs_before_numbers),
    Step(
        mark("ordinals"),
        mark("Ordinals, decades, and other forms of the language's own"),
        read_ordinals,
    ),
    Step(mark("money"), mark("Amounts of money"), read_money),
    Step(mark("units"), mark("Numbers with units"), read_units),
    Step(mark("numbers"), mark("Fractions, ranges, years, and all other numbers"), read_numbers),
    Step(mark("signs"), mark("Single signs"), read_signs),
    Step(UNSPOKEN, mark("Characters that cannot be said"), read_unspoken),
)
STEP_NAMES = tuple(step.name for step in STEPS)
FORMATTING_ONLY = frozenset(step.name for step in STEPS if not step.needs_rules)


@dataclass(frozen=True)
class StepChange:
    """What a step made of the text that came to it; only steps that changed something."""

    name: str
    about: str
    text: str


# Halves of a character that were pasted apart, and then what is left of such.
_TWO_HALVES = regex.compile("[\ud800-\udbff][\udc00-\udfff]")
_GRAPHEME = regex.compile(r"\X")
# Marks of the direction of writing, invisible operators, control characters other than line ends
# and tabs, lone halves. The joiners U+200C and U+200D shape letters and stay.
_WITHOUT_SOUND = regex.compile(
    r"[\u200e\u200f\u061c\u202a-\u202e\u2061-\u2064\u2066-\u206f]|\p{Cs}"
    r"|(?![\n\r\t\v\f\x1c-\x1e\x85])\p{Cc}"
)
FORM = StepChange(
    mark("form"), mark("One form of each letter (NFC), without invisible characters"), ""
)


def in_one_form(text: OffsetText) -> OffsetText:
    """The text in NFC, in every language, without characters that have neither shape nor sound.

    It comes before all steps and cannot be left out: a model knows "é" as one letter, whether it
    was typed as one character or two, and no tokenizer takes half a character.
    """
    text = text.replaced(
        _TWO_HALVES, lambda two: two[0].encode("utf-16", "surrogatepass").decode("utf-16")
    )
    if not unicodedata.is_normalized("NFC", text.text):
        text = text.replaced(_GRAPHEME, lambda one: unicodedata.normalize("NFC", one[0]))
    return text.replaced(_WITHOUT_SOUND, "")


def without_sound(text: str) -> Mapping[str, int]:
    """What `in_one_form` leaves out of the text, and how often each character was in it."""
    return Counter(_WITHOUT_SOUND.findall(text))


def read_as_spoken(
    text: OffsetText, language: str, steps: Collection[str] = STEP_NAMES
) -> OffsetText:
    """`text` as it is said in the language (as "en-us", "es", "pt-br"), by the named steps."""
    rules = rules_for(language)
    text = in_one_form(text)
    for step in STEPS:
        if step.name in steps and (rules is not None or not step.needs_rules):
            text = step.apply(text, rules)  # type: ignore[arg-type]  # not used without rules
    return text


def steps_without(skipped: str) -> tuple[str, ...]:
    """All steps but those that `skipped` names, with commas between them.

    Raises BadInputError for a name that no step has.
    """
    names = [name.strip().lower() for name in skipped.split(",") if name.strip()]
    for name in names:
        if name not in STEP_NAMES:
            raise BadInputError(
                _("The reading has no step “{name}”.", name=name),
                _("Its steps are {names}.", names=", ".join(STEP_NAMES)),
                "as_written",
            )
    return tuple(name for name in STEP_NAMES if name not in names)


def spoken_form(text: str, language: str, steps: Collection[str] = STEP_NAMES) -> str:
    """The words in which `text` is said, with its punctuation."""
    return read_as_spoken(OffsetText.of(text), language, steps).text


def explain(
    text: str, language: str, steps: Collection[str] = STEP_NAMES
) -> tuple[StepChange, ...]:
    """What each step makes of the text, in order; steps that change nothing are left out."""
    rules = rules_for(language)
    current = in_one_form(OffsetText.of(text))
    changes = [replace(FORM, text=current.text)] if current.text != text else []
    for step in STEPS:
        if step.name not in steps or (rules is None and step.needs_rules):
            continue
        changed = step.apply(current, rules)  # type: ignore[arg-type]  # as above
        if changed.text != current.text:
            changes.append(StepChange(step.name, step.about, changed.text))
        current = changed
    return tuple(changes)


@lru_cache(maxsize=64)
def rules_for(language: str) -> Rules | None:
    """The rules of a language, whatever its region; None where there are none of its own."""
    code = language.lower().replace("_", "-")
    base = code.partition("-")[0]
    same = (rules for known, rules in _RULES.items() if known.partition("-")[0] == base)
    rules = _RULES.get(code) or next(same, None)
    return None if rules is None else rules()
