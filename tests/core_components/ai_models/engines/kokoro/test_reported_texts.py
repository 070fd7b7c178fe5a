"""Kokoro says what people write: by its phonemes, and no word is silent."""

from __future__ import annotations

import pytest
import regex

from modules.core_components.ai_models.engines.kokoro.reading.languages import get_language
from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import PhonemeSpan
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import (
    every_word_voiced,
    get_phonemizer,
)
from modules.core_components.errors import BadInputError
from tests.helpers.spoken_forms import load_spoken_forms
from tests.helpers.tiny_kokoro import SYMBOLS

VOCABULARY = frozenset(SYMBOLS)
ENGLISH = get_language("en-us")
# How many of a language's sentences are read aloud, spread over its kinds.
READ_ALOUD = 40


def sounds(text: str, language: str) -> str:
    """The phonemes of `text`, without stress, marks and spaces."""
    sentences = get_phonemizer().sentences(text, language, VOCABULARY)
    phonemes = "".join(sentence.phonemes for sentence in sentences)
    return regex.sub(r"[^\p{L}]|[ˈˌ]", "", phonemes)


@pytest.mark.parametrize("language", ["en-us", "es", "fr-fr", "it", "pt-br"])
def test_what_is_written_sounds_like_what_is_said(language: str) -> None:
    sentences = load_spoken_forms(language)
    wrong = [
        one.text
        for one in sentences[:: max(1, len(sentences) // READ_ALOUD)]
        if sounds(one.text, language) not in {sounds(right, language) for right in one.right}
    ]
    assert len(wrong) <= READ_ALOUD // 20, wrong


@pytest.mark.parametrize(
    "text", ["The Pan Am jet.", "About ~50 people came.", "It is 25℃, 5'10\"."]
)
def test_reported_texts_have_every_word(text: str) -> None:
    said = {
        "The Pan Am jet.": "The pan am jet.",
        "About ~50 people came.": "About fifty people came.",
        "It is 25℃, 5'10\".": "It is twenty-five degrees Celsius, five foot ten.",
    }
    assert sounds(text, "en-us") == sounds(said[text], "en-us")


class DeafReader:
    """Reads each letter as "a" and the words of `silent` not at all; alone some of them sound."""

    def __init__(self, silent: str, alone: str = "") -> None:
        self.silent = silent.split()
        self.alone = alone.split()

    def __call__(self, text: str) -> list[PhonemeSpan]:
        return [
            PhonemeSpan(word.start(), word.end(), self._phonemes(word[0], text))
            for word in regex.finditer(r"\S+", text)
        ]

    def _phonemes(self, word: str, text: str) -> str:
        passed_over = word in self.silent and not (word == text and word in self.alone)
        return "" if passed_over else "a" * len(word)


def voiced(text: str, reader: DeafReader) -> list[str]:
    return [span.phonemes for span in every_word_voiced(text, reader(text), reader, ENGLISH)]


def test_a_word_that_was_passed_over_is_read_alone() -> None:
    assert voiced("one 50 two", DeafReader("50", alone="50")) == ["aaa", "aa", "aaa"]


def test_a_word_without_a_reading_is_spelled() -> None:
    assert voiced("one xyz two", DeafReader("xyz")) == ["aaa", "aaa", "aaa"]


def test_what_cannot_be_spelled_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match="no phonemes for 5"):
        voiced("one 5 two", DeafReader("5"))


def test_marks_may_be_silent() -> None:
    assert voiced("one — two ...", DeafReader("— ...")) == ["aaa", "", "aaa", ""]
