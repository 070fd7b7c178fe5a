"""Words as the user wrote them, each once, and when they are said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.core_components.ai_models.engines.kokoro.pipeline import (
    plan_chunks,
    word_times,
    words_of_chunks,
)
from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import SpokenWord
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import (
    PhonemeSentence,
    get_phonemizer,
)
from tests.helpers.tiny_kokoro import SYMBOLS

VOCABULARY = frozenset(SYMBOLS)


def read(text: str, language: str) -> list[PhonemeSentence]:
    return list(get_phonemizer().sentences(text, language, VOCABULARY))


def said(text: str, language: str) -> dict[str, str]:
    """Word and phonemes."""
    return {
        word.text: sentence.phonemes[word.start : word.end]
        for sentence in read(text, language)
        for word in sentence.words
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("“It’s $5,” he said.", "It’s $5 he said"),
        ("Don't pay 3.5% (or 10,000) to R&B fans😀!", "Don't pay 3.5% or 10,000 to R&B fans"),
        ("Yes—no… well-known", "Yes no well-known"),
        ("cafe\u0301 and so\u00adfa", "cafe\u0301 and sofa"),
        ("Call 12345678901234567890 " + "b" * 70, "Call 12345678901234567890 " + "b" * 70),
        ("One | two ` three", "One two three"),
        ("This is **very** *good*.", "This is very good"),
        ("Read [our guide](https://example.com) first.", "Read our guide first"),
        ("It was a beau-\ntiful day &amp; <b>warm</b>", "It was a beautiful day &amp; warm"),
        ("un**believ**able, un<b>believ</b>able", "unbelievable unbelievable"),
        ("Dr. Lee paid $3m at 8:05 pm.", "Dr Lee paid $3m at 8:05 pm"),
        ("[Kokoro](/kˈOkəɹO/)'s re[do](/dˈu/)ing", "Kokoro's redoing"),
    ],
)
def test_words_are_those_of_the_user(text: str, words: str) -> None:
    found = [word.text for sentence in read(text, "en-us") for word in sentence.words]
    assert " ".join(found) == words


@pytest.mark.parametrize(
    ("language", "text", "word", "phonemes"),
    [
        ("en-us", "It is $5 now", "$5", "fˈIv dˈɑləɹz"),
        ("en-us", "It is 3.5% now", "3.5%", "θɹˈi pˈYnt fˈIv pəɹsˈɛnt"),
        ("en-gb", "a well-known man", "well-known", "wˌɛlnˈQn"),
        ("en-us", "[Kokoro](/kˈOkəɹO/)'s", "Kokoro's", "kˈOkəɹOs"),
        ("es", "el año 2024 fue", "2024", "ðˈos mˈil βˌAntikwˈatɾo"),
        ("fr-fr", "à 10h30 : c'est", "10h30", "dˈiz ˈœʁ tʁˈɑ̃t"),
        ("it", "ho 21 anni [ora](/ˈora/).", "ora", "ˈora"),
        ("pt-br", "Custa R$ 25 agora", "R$ 25", "vˈiŋʧj i sˈiŋkʊ xeˈIz"),
        ("es", "Son 5 € hoy", "5 €", "θˈinko ˈeʊɾos"),
        ("hi", "मैं 25 साल", "साल", "sˈaːl"),
        ("zh", "价格是3.5元。", "3.5元", "sa→ntjɛ↓n u↓ɥɛ↗n"),
        ("zh", "[你好](/ni↓/)吗", "你好", "ni↓"),
        ("ja", "東京は1400人", "1400", "seɴ joɴçakɯ"),
        ("ja", "４月にNew Yorkで", "York", "jˈɔɹk"),
    ],
)
def test_each_word_has_its_phonemes(language: str, text: str, word: str, phonemes: str) -> None:
    assert said(text, language)[word] == phonemes


WORDS = ("hola", "25", "1998", "señor", "niño,", "¿qué?", "(sí)", "100%", "a", "José.", "3:30")


@pytest.mark.parametrize("language", ["es", "it", "fr-fr", "pt-br"])
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=25))
@settings(max_examples=25, deadline=None)
def test_no_word_is_lost_or_doubled(language: str, words: list[str]) -> None:
    sentences = read(" ".join(words), language)
    found = [word.text for sentence in sentences for word in sentence.words]
    assert found == [word.strip(",¿?().") for word in words]
    for sentence in sentences:
        places = [(word.start, word.end) for word in sentence.words]
        assert places == sorted(places)
        assert all(start <= end for start, end in places)


phoneme_words = st.lists(
    st.sampled_from(["ə", "wˈɜɹld", "ˌɪntəɹnˈæʃənəl", "a" * 300]), min_size=1, max_size=40
)


@given(st.lists(phoneme_words, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_every_word_begins_in_one_chunk(texts: list[list[str]]) -> None:
    sentences = []
    for words in texts:
        phonemes, places = "", []
        for word in words:
            places.append(SpokenWord(word, len(phonemes), len(phonemes) + len(word)))
            phonemes += f"{word}, "
        sentences.append(PhonemeSentence(phonemes, phonemes.rstrip(), tuple(places)))
    chunks = list(plan_chunks(sentence.phonemes for sentence in sentences))
    placed = list(words_of_chunks(sentences, chunks))
    assert [word.text for words in placed for word in words] == [
        w for words in texts for w in words
    ]
    for chunk, words in zip(chunks, placed, strict=True):
        for word in words:
            said = chunk.phonemes[word.start : word.end]
            assert said
            assert word.text.startswith(said.replace(" ", ""))


def test_times_count_the_pause_before_and_what_was_cut_off() -> None:
    durations = np.array([4, 2, 2, 1, 3, 5])  # pause, four phonemes, pause
    words = (SpokenWord("a", 0, 2), SpokenWord("b", 3, 4))
    first, second = word_times(words, durations, 0.1, 0.1, 1.0)
    assert (first.start_s, first.end_s) == pytest.approx((0.3, 0.7))
    assert (second.start_s, second.end_s) == pytest.approx((0.8, 1.0))  # within the piece
