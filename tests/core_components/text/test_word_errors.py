"""Only what sounds different counts as an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.text.word_errors import normalize_words, word_error_rate


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("Hello, World!", "hello world"),
        ("Mr. Smith and Dr. Jones", "Mister Smith and doctor Jones"),
        ("It’s a twenty-one-year-old café.", "its a 21 year old cafe"),
        ("He paid $4.50.", "He paid four dollars and fifty cents"),
        (
            "It costs $1 or £3.07 or 5 €.",
            "it costs one dollar or three pounds seven pence or 5 euros",
        ),
        ("1,234 people", "one thousand, two hundred and thirty-four people"),
        (
            "In 1905 and 2024, and in the 1990s",
            "in nineteen oh five and twenty twenty-four and in the nineteen nineties",
        ),
        ("March 3rd, the 21st time", "march third the twenty first time"),
        ("3.14 is 50% of it", "three point one four is fifty percent of it"),
        ("at 10:05 and 5:00", "at ten oh five and five o'clock"),
        ("The U.S.A. & the U.K.", "the USA and the UK"),
        ("-5 degrees", "minus five degrees"),
        ("It closes at 9:05 p.m. in the US.", "it closes at nine oh five PM in the U.S."),
        ("She paid 4.50 dollars", "she paid $4.50"),
        ("Room 007", "room zero zero seven"),
        ("0123456789", "zero one two three four five six seven eight nine"),
        ("", "..."),
    ],
)
def test_the_same_in_english(written: str, heard: str) -> None:
    assert normalize_words(written) == normalize_words(heard)
    assert word_error_rate(written, heard) == 0.0


@pytest.mark.parametrize(
    ("language", "written", "heard"),
    [
        (
            "de",
            "Er zahlte 1.234,50 € zu 5 %.",
            "er zahlte eintausendzweihundertvierunddreißig Euro fünfzig zu fünf Prozent",
        ),
        ("de", "Er zahlte 1.234,50 €.", "er zahlte 1234,50 Euro"),
        ("fr", "J'ai 21 ans, c'est 3,5.", "j’ai vingt-et-un ans c'est trois virgule cinq"),
        ("es", "Tengo 21 años.", "tengo veintiún años"),
        ("ru", "Ещё 5 раз", "еще пять раз"),
        ("ja", "123円です。", "百二十三 円 です"),
        ("zh-cn", "你好，世界！", "你好 世界"),
        ("th", "ฉันมี 3 คน", "ฉันมีสามคน"),
        ("hi", "यह एक है।", "यह एक है"),
    ],
)
def test_the_same_in_other_languages(language: str, written: str, heard: str) -> None:
    assert word_error_rate(written, heard, language) == 0.0


@pytest.mark.parametrize(
    ("written", "heard", "rate"),
    [
        ("a b c d", "a x c d", 0.25),
        ("a b c d", "a b c", 0.25),
        ("a b c d", "a b c d e f", 0.5),
        ("one", "two three", 2.0),
        ("", "something", 1.0),
        ("something", "", 1.0),
        ("salt and pepper", "salt pepper", 1 / 3),
        ("15 men", "50 men", 0.5),
    ],
)
def test_what_differs_is_counted(written: str, heard: str, rate: float) -> None:
    assert word_error_rate(written, heard) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("K-Board", "Kboard"),
        ("the KBoard app", "the K board app"),
        ("a well-known ice cream", "a wellknown icecream"),
        ("They set up the set-up", "They set up the setup"),
        ("every day", "everyday"),
        ("to night", "tonight"),
    ],
)
def test_a_compound_is_one_word_or_two(written: str, heard: str) -> None:
    assert word_error_rate(written, heard) == 0.0


def test_joining_compounds_hides_no_error() -> None:
    assert word_error_rate("a way out", "a bay out") == pytest.approx(1 / 3)
    assert word_error_rate("over all", "over") == 0.5
    assert word_error_rate("can not cannot", "can cannot not") > 0
    assert word_error_rate("no", "no no") == 1.0


@pytest.mark.parametrize("language", ["zh", "ja", "th"])
def test_characters_are_counted_where_words_have_no_spaces(language: str) -> None:
    assert word_error_rate("我们很好", "我们很号", language) == 0.25


@pytest.mark.parametrize("language", ["en", "de", "zh", "hi", "tlh", ""])
@settings(deadline=None, max_examples=60)
@given(text=st.one_of(st.text(), st.text("0123456789.,:$€%-ºª½² stndrh")))
def test_any_text_can_be_compared_with_itself(language: str, text: str) -> None:
    assert word_error_rate(text, text, language) == 0.0
    assert all(word and word == word.strip() for word in normalize_words(text, language))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", ["1", "1,", "1.000", "1:", "a.", "$", "-", "9 ", "1$"])
def test_long_runs_are_no_trap(pattern: str) -> None:
    """Expressions that back up over a run of digits would take hours on these."""
    text = pattern * (100_000 // len(pattern))
    assert normalize_words(text, "de") == normalize_words(text, "de")
