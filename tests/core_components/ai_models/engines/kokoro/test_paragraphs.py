"""About 600 words in each of Kokoro's nine languages, through the real readers and the chunker.

`bench/languages.py` speaks the same paragraphs and has Whisper read them back.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.core_components.ai_models.engines.kokoro.pipeline import (
    FIRST,
    LONGEST,
    plan_chunks,
    words_of_chunks,
)
from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import get_phonemizer
from tests.helpers.tiny_kokoro import SYMBOLS

PARAGRAPHS = Path(__file__).parents[4] / "languages"
WITHOUT_FULL_STOPS = ("hi", "ja", "zh")


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_a_paragraph_is_spoken_to_its_last_word(code: str) -> None:
    text = (PARAGRAPHS / f"{code}.txt").read_text(encoding="utf-8").strip()
    assert (code in WITHOUT_FULL_STOPS) == ("." not in text)
    sentences = list(get_phonemizer().sentences(text, code, frozenset(SYMBOLS)))
    chunks = list(plan_chunks(sentence.phonemes for sentence in sentences))
    phonemes_in = "".join(sentence.phonemes for sentence in sentences).replace(" ", "")
    phonemes_spoken = "".join(chunk.phonemes for chunk in chunks).replace(" ", "")
    assert phonemes_spoken == phonemes_in
    lengths = [len(chunk.phonemes) for chunk in chunks]
    assert lengths[0] <= FIRST.most
    assert max(lengths) <= LONGEST
    assert sum(lengths[3:-1]) / len(lengths[3:-1]) > 150
    words = [word.text for words in words_of_chunks(sentences, chunks) for word in words]
    assert letters("".join(words)) == letters(text)
    assert len(words) > 550


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
