"""Text cleaned up for speaking, and refused by the names of its characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.ai_models.engines.kokoro.reading import cleaning
from modules.core_components.ai_models.engines.kokoro.reading.languages import (
    LANGUAGES,
    Language,
    get_language,
)
from modules.core_components.errors import BadInputError
from modules.core_components.text.reading.offset_text import OffsetText

ENGLISH = LANGUAGES["en-us"]
HINDI = LANGUAGES["hi"]


def speakable_text(text: str, language: Language) -> str:
    return cleaning.speakable_text(OffsetText.of(text), language).text


@pytest.mark.parametrize(
    ("text", "language", "named"),
    [
        ("Hello 你好 world", "en-us", "American English has no phonemes for 你, 好."),
        ("Привет", "es", "Spanish has no phonemes for П, р, и, в, е, т."),
        ("שלום", "it", "Italian has no phonemes for ש, ל, ו, ם."),
        ("नमस्ते", "fr-fr", "French has no phonemes for न"),
        ("こんにちは", "hi", "Hindi has no phonemes for こ"),
        ("λόγος", "en-gb", "British English has no phonemes for λ"),
        ("private \ue001 use", "en-us", "U+E001"),
        ("half a \ud83d pair", "en-us", "U+D83D"),
    ],
)
def test_other_scripts_are_named(text: str, language: str, named: str) -> None:
    with pytest.raises(BadInputError) as caught:
        speakable_text(text, LANGUAGES[language])
    assert named in caught.value.message
    assert caught.value.hint


def test_many_characters_are_counted_and_not_all_listed() -> None:
    with pytest.raises(BadInputError, match="and 22 more"):
        speakable_text("".join(map(chr, range(0x4E00, 0x4E00 + 30))) * 2, ENGLISH)


@pytest.mark.parametrize(
    "text", ["", "   \n ", "... !!! ???", "😀🚀🎉❤️", "👨‍👩‍👧 🇩🇪", "\u200b\u00ad", "—"]
)
def test_text_without_anything_to_speak_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="nothing to speak"):
        speakable_text(text, ENGLISH)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Nice 😀 day ❤️!", "Nice day!"),
        ("Yes.👨‍👩‍👧 No🎉 Perhaps", "Yes. No Perhaps"),
        ("one😀two 5️⃣", "one two 5"),
        ("soft\u00adhyphen and \ufeffmark", "softhyphen and mark"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("Ｈｅｌｌｏ，ｗｏｒｌｄ！ １２", "Hello,world! 12"),
        ("5 − 3", "5 - 3"),
        ("e\u0301te\u0301", "été"),
    ],
)
def test_what_makes_no_sound_goes(text: str, cleaned: str) -> None:
    assert speakable_text(text, ENGLISH) == cleaned


@pytest.mark.parametrize("text", ["The β-carotene", "3 Ω", "5 µm", "naïve Müller Łódź", "½ × 2"])
def test_symbols_and_accents_are_no_other_script(text: str) -> None:
    assert speakable_text(text, ENGLISH) == text


def test_hindi_may_hold_latin_words_and_joiners() -> None:
    text = "नमस्ते, hello क्\u200dष"
    assert speakable_text(text, HINDI) == text


def test_numbers_without_a_name_are_spelled() -> None:
    assert speakable_text("Call 1234567890123456789!", ENGLISH) == (
        "Call 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9!"
    )
    assert speakable_text("It costs 1,234,567.89", ENGLISH) == "It costs 1,234,567.89"


@given(st.text(alphabet="abcXYZéñ'’-/.,_0123456789 ", max_size=600).map(lambda text: f"a{text}"))
@settings(max_examples=300, deadline=None)
def test_breaks_lose_nothing_and_leave_no_endless_word(text: str) -> None:
    cleaned = speakable_text(text, ENGLISH)
    assert cleaned.replace(" ", "").replace(",", "").replace(".", "") == (
        text.replace(" ", "").replace(",", "").replace(".", "")
    )
    assert all(len(word) <= 50 for word in cleaned.split())


def test_a_break_does_not_part_a_letter_from_its_vowel_sign() -> None:
    pieces = speakable_text("की" * 100, HINDI).split()
    assert len(pieces) > 1
    assert all(unicodedata.category(piece[0]) == "Lo" for piece in pieces)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(BadInputError, match="'xx'"):
        get_language("xx")


@given(
    st.text(alphabet="abé \t\u0301\u00ad😀１，🎉\r\n-", max_size=200).map(lambda text: f"a{text}")
)
@settings(max_examples=200, deadline=None)
def test_every_character_knows_where_it_came_from(text: str) -> None:
    cleaned = cleaning.speakable_text(OffsetText.of(text), ENGLISH)
    assert len(cleaned.text) == len(cleaned.starts) == len(cleaned.ends)
    assert list(cleaned.starts) == sorted(cleaned.starts)
    for character, start, end in zip(cleaned.text, cleaned.starts, cleaned.ends, strict=True):
        if character.isalnum():
            assert character in unicodedata.normalize("NFKC", text[start:end])
