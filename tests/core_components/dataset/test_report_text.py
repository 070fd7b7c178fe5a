"""Texts that do not belong, repeat themselves, or are spoken at a strange rate."""

from __future__ import annotations

import pytest

from modules.core_components.dataset.report_clips import (
    breaks_rows,
    faulty_words,
    letters_per_second,
    odd_characters,
    same_texts,
)
from modules.core_components.dataset.values import TRAIN, Clip
from modules.core_components.values import Word


def clip(text: str, seconds: float = 2.0, clip_id: str = "a", words: tuple[Word, ...] = ()) -> Clip:
    return Clip(clip_id, "s", 0.0, seconds, text, text, words, TRAIN, "Anna")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "It's 5 o'clock – “well”, isn't it?"),
        ("it", "Perché no? È così, città."),
        ("es", "¿Qué tal, señor? ¡Años!"),
        ("de", "Straße, Äpfel & Öl"),
        ("tr", "İstanbul ışık ağaç"),
        ("ru", "Ёлка, мир."),
        ("hi", "नमस्ते, दुनिया।"),
        ("ja", "コーヒーを飲む。日本語"),
        ("ko", "안녕하세요."),
        ("zh", "你好，世界。"),
        ("ar", "مرحبا، يا عالم؟"),
        ("sw", "ŋ every letter passes"),
    ],
)
def test_ordinary_texts_have_nothing_odd(language: str, text: str) -> None:
    assert odd_characters(text, language) == ()


@pytest.mark.parametrize(
    ("language", "text", "odd"),
    [
        ("en", "Мир and peace", ("М", "и", "р")),
        ("it", "naïve *star* 🎤", ("ï", "*", "🎤")),
        ("ru", "мир mir", ("m", "i", "r")),
        ("ja", "한국", ("한", "국")),
        ("en", "a_b\\c", ("_", "\\")),
    ],
)
def test_what_does_not_belong_is_named_once(language: str, text: str, odd: tuple[str, ...]) -> None:
    assert odd_characters(text, language) == odd


def test_rows_are_broken_by_bars_and_line_breaks_only() -> None:
    assert all(breaks_rows(f"a{mark}b") for mark in ("|", "\n", "\r", "\u2028"))
    assert not breaks_rows("a, b; c/d")


def test_the_same_words_are_the_same_text() -> None:
    clips = [clip("It is 5.", clip_id="a"), clip("it is FIVE", clip_id="b"), clip("No", 1, "c")]
    (same,) = same_texts(clips, "en").values()
    assert [item.id for item in same] == ["a", "b"]


def test_the_rate_counts_numbers_as_words_and_leaves_pauses_out() -> None:
    assert letters_per_second(clip("1984"), 2.0, "en") == pytest.approx(
        len("nineteeneightyfour") / 2
    )
    words = (Word("good", 0.5, 1.0), Word("day", 1.0, 1.5))
    assert letters_per_second(clip("good day", words=words), 2.0, "en") == pytest.approx(7.0)
    assert letters_per_second(clip("..."), 2.0, "en") is None


def test_the_words_at_fault_are_found() -> None:
    def fault(text: str, language: str) -> str:
        return "unknown ł" if "ł" in text else ""

    assert faulty_words("a łódź of łódź", "en", fault) == ("łódź",)
