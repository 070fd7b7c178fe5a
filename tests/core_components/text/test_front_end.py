"""The text front end: its steps one by one, where their words come from, and what it withstands."""

from __future__ import annotations

import random
import re

import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.text.reading.front_end import (
    FORMATTING_ONLY,
    STEP_NAMES,
    explain,
    read_as_spoken,
    rules_for,
    spoken_form,
    steps_without,
)
from modules.core_components.text.reading.offset_text import OffsetText

LANGUAGES = ("en-us", "en-gb", "es", "fr-fr", "it", "pt-br", "de", "hi", "ja", "zh")


def formatted(text: str) -> str:
    return spoken_form(text, "", FORMATTING_ONLY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("This is **very** *good*, __so__ ~~bad~~ `code`.", "This is very good, so bad code."),
        ("# One\n## Two ##\nText", "One.\nTwo.\nText"),
        ("Title\n=====\nText", "Title.\nText"),
        ("- one\n- two\n\nAfter", "one.\ntwo.\nAfter"),
        ("1. First\n2. Second", "1. First.\n2. Second"),
        ("> quoted\n> on", "quoted\non"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b.\n1, 2"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("[guide](https://a.org/b) and ![A cat](cat.png)", "guide and A cat"),
        ("[x](../a.md) [y](#top) [z](mailto:a@b.org)", "x y z"),
        ("Note[^1] this", "Note this"),
        ("- [x] done\n- [ ] open", "done.\nopen"),
        ("It is <b>bold</b><br>here", "It is bold\nhere"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("a <!-- hidden --> b <script>x()</script> c", "a   b   c"),
        ("Fish &amp; chips &lt;now&gt; &#233; &nbsp;x", "Fish & chips <now> é  x"),
        ('<speak>Hi <emphasis level="strong">you</emphasis></speak>', "Hi you"),
        ('<sub alias="World Wide Web Consortium">W3C</sub>', "World Wide Web Consortium"),
        ("a\\*b\\*", "a*b*"),
        ("beau-\ntiful, so\u00adfa", "beautiful, sofa"),
        ("I don`t, can´t, donʼt", "I don't, can't, don't"),
        ("ﬁne ﬂow", "fine flow"),
        ("①②", "1 2"),
    ],
)
def test_formatting_goes_and_the_words_stay(text: str, words: str) -> None:
    assert formatted(text).strip() == words


@pytest.mark.parametrize(
    "text",
    [
        "snake_case and a * b, 2 * 3",
        "List<String> and a <b and c> d, x<y",
        "[Anna]: Hello",
        "[Anna](whispering) Hello",
        "[sic] and AT&T; and R&B",
        "1986. A great year",
        "a_b_c ~ d # e",
    ],
)
def test_what_only_looks_like_formatting_stays(text: str) -> None:
    assert formatted(text) == text.replace(" * 3", " × 3") or formatted(text) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_character_knows_where_it_comes_from(language: str) -> None:
    text = "**Dr. Lee** paid $3.50 for 5 km &amp; 2 m² on 2024-01-05 at 8:05."
    read = read_as_spoken(OffsetText.of(text), language)
    assert len(read.starts) == len(read.ends) == len(read.text)
    assert list(read.starts) == sorted(read.starts)
    assert list(read.ends) == sorted(read.ends)
    assert all(0 <= a < b <= len(text) for a, b in zip(read.starts, read.ends, strict=True))


def test_each_step_can_be_seen() -> None:
    changes = explain("**Dr.** Lee paid $5 at 8:05 pm.", "en-us")
    assert [change.name for change in changes] == ["formatting", "abbreviations", "times", "money"]
    assert changes[-1].text == spoken_form("**Dr.** Lee paid $5 at 8:05 pm.", "en-us")


@pytest.mark.parametrize("name", STEP_NAMES)
def test_each_step_can_be_left_out(name: str) -> None:
    text = (
        "`a`` **b** donʼt www.a.org Henry VIII IS VERY OLD NOW 5 May 2024 e.g. 8:05 "
        "415-555-0137 1st $5 5 km ~50 7 & x 😀"
    )
    language = "am" if name == "unspoken" else "en-us"
    assert name in {change.name for change in explain(text, language)}
    left_out = explain(text, language, steps_without(name))
    assert name not in {change.name for change in left_out}


def test_unknown_steps_are_refused_by_name() -> None:
    assert steps_without("") == STEP_NAMES
    assert set(STEP_NAMES) - set(steps_without(" Money, units,")) == {"money", "units"}
    with pytest.raises(BadInputError, match="no step “monney”"):
        steps_without("monney")


def test_a_language_without_rules_keeps_its_numbers() -> None:
    assert rules_for("pl") is None
    assert spoken_form("**Mam** 5 zł &amp; 2 koty.", "pl") == "Mam 5 zł & 2 koty."


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en-us", "3/4/2024", "March fourth, twenty twenty-four"),
        ("en-gb", "3/4/2024", "the third of April, twenty twenty-four"),
        ("en-us", "250", "two hundred fifty"),
        ("en-gb", "250", "two hundred and fifty"),
        ("en-us", "5 km", "five kilometers"),
        ("en-gb", "5 km", "five kilometres"),
        ("en", "250", "two hundred fifty"),
        ("pt", "25", "vinte e cinco"),
    ],
)
def test_regions_differ(language: str, text: str, words: str) -> None:
    assert spoken_form(text, language) == words


PARTS = (
    *re.findall(
        r"\S+",
        "0 1 2 10 00 007 1945 2024 99999999999999999999 1,000 1.000 1,5 3.14 . , : ; - – / ' \" "
        "’ ° % $ € £ ¥ R$ US$ ₹ km kg m h Uhr pm p.m. h30 II XIV I C L ª º er th st ( ) [ "
        "] * ** _ ` # ~ < > <b> </b> & &amp; @ + = × ² ½ ¾ № § Januar enero Jan. janeiro "
        "月 日 年 时 円 元 万 個 Mio. Mrd M k bn million USD EUR a b Dr. St. z.B. http:// www. "
        ".com .txt é ñ ß 你 です किमी बजे s x X 24/7 1/2 31/12/2024 2024-01-05 32.13.2024 "
        "25:61 24:00 0:00 12:30:15 +44 0800",
    ),
    *("\n", "\t"),
    *[" "] * 25,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_any_text_is_read_and_no_digit_is_left(language: str) -> None:
    chance = random.Random(20261129)
    for _ in range(300):
        text = "".join(chance.choices(PARTS, k=chance.randrange(1, 14)))
        spoken = spoken_form(text, language)
        assert not any(map(str.isdigit, spoken)), (text, spoken)


RUNS = (
    *(
        "1",
        "1,",
        "1.000",
        "1:",
        "a.",
        "$",
        "-",
        "9 ",
        "1$",
        "<",
        "&",
        "A ",
        "@a",
        "*",
        "[a](",
        "1/",
        "´",
    ),
    *(
        "I",
        "X ",
        "\n",
        "`",
        "~1",
        "1'",
        '"1',
        "0 0",
        "(1)",
        "1 km",
        "a-\n",
        "<b>",
        "<a ",
        "½",
        "+1 ",
        " ",
    ),
    *("1 €", "€1", "1 1/2 ", "XI "),
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("language", ["en-us", "de", "zh"])
def test_long_runs_are_no_trap(language: str) -> None:
    """Patterns that back up over a run of characters would take hours on these."""
    for run in RUNS:
        spoken_form(run * (6_000 // len(run)), language)
