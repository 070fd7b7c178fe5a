"""5,000 random texts through normalizer and chunker: nothing lost, nothing too long, linear work.

The reader is a fake that says one sound for each letter, so that whatever is lost can be counted;
a smaller number of texts goes through the real ones of every language.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.core_components.ai_models.engines.kokoro.pipeline import (
    LONGEST,
    plan_chunks,
    words_of_chunks,
)
from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import (
    GivenPhonemes,
    extract_given,
)
from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import (
    PhonemeSpan,
)
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import (
    PhonemeSentence,
    Phonemizer,
    get_phonemizer,
)
from modules.core_components.errors import BadInputError
from modules.core_components.text.reading.front_end import (
    FORMATTING_ONLY,
    read_as_spoken,
    spoken_form,
)
from tests.helpers.tiny_kokoro import SYMBOLS

VOCABULARY = frozenset(SYMBOLS)
COMMON = (
    *(" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u200b", "\u00ad"),
    *(".", ",", "!", "?", "...", "…", ";", ":", "—", "-", "(", ")", "“", "”", '"', "'", "/", "*"),
    *("。", "、", "！", "？", "「", "」", "·", "。。。", "।", "؟"),
    *("1", "42", "3.5", "1,000", "12:30", "1/2", "2024", "9" * 40, "１２", "$5", "50%", "-", "–"),
    *("a", "the", "Dr.", "U.S.", "e\u0301", "don't", "R&B", "x" * 60, "y" * 400, "hello-" * 20),
    *(
        "😀",
        "👨‍👩‍👧",
        "[",
        "](/",
        "/)",
        "[word](/wˈɜɹd/)",
        "[pause:1s]",
        "[speed:2]",
        "]",
        "(/",
        "[a](",
    ),
)
SCRIPTS = {
    "en-us": ("Hello", "naïve", "İstanbul", "I", "mid-sentence"),
    "es": ("¿Qué", "señor", "niño"),
    "fr-fr": ("l'été", "«", "»", "œuvre"),
    "hi": ("नमस्ते", "है", "की" * 60, "क\u200dष", "।"),
    "it": ("città", "perché", "po'"),
    "ja": ("東京", "は", "ありがとう", "コーヒー", "っ", "々", "ｶﾞ", "漢字" * 150, "㎏"),
    "pt-br": ("coração", "não", "R$"),
    "zh": ("你好", "的", "中国", "今天" * 150, "３个", "年"),
    "en-gb": ("colour", "whilst"),
}
LANGUAGE_CODES = sorted(LANGUAGES)


def random_text(language: str, chance: random.Random) -> str:
    """Fragments of the language and of all others, joined without regard for words or marks."""
    fragments = (*COMMON, *SCRIPTS[language] * 4)
    return "".join(chance.choices(fragments, k=chance.randrange(14)))


class CountingPhonemizer(Phonemizer):
    """Says an "a" for each letter or digit and a comma for all else; counts what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.characters = 0
        self._readers = dict.fromkeys(LANGUAGES, self._spell)

    def _spell(self, text: str, given: Sequence[GivenPhonemes]) -> list[PhonemeSpan]:
        self.characters += len(text)
        sounds = {True: "a", False: ","}
        return [
            PhonemeSpan(
                i, i + 1, " " if letter.isspace() else sounds[letter.isalnum() or letter > "\uafff"]
            )
            for i, letter in enumerate(text)
        ]


# Each example is a seed of ten texts: hypothesis itself would take longer than all that is tested.
@given(st.integers(0, 2**32))
@settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_nothing_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        language = chance.choice(LANGUAGE_CODES)
        text = random_text(language, chance)
        phonemizer = CountingPhonemizer()
        check(phonemizer, text, language)
        # A character of the spoken text ("9" is "nine") is read once in its sentence, and once to
        # see whether it has a sound.
        longest = max(len(text), len(spoken_form(text, language)))
        assert phonemizer.characters <= 3 * longest + 200


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None, database=None)
def test_the_real_readers_lose_nothing(language: str, seed: int) -> None:
    check(get_phonemizer(), random_text(language, random.Random(seed)), language)


def check(phonemizer: Phonemizer, text: str, language: str) -> None:
    """Refused with a reason, or spoken to the last letter, each word once."""
    try:
        sentences = list(phonemizer.sentences(text, language, VOCABULARY))
    except BadInputError as refused:
        assert refused.hint  # noqa: PT017 - that it refuses is as good as that it reads
        return
    plain, _ = extract_given(text, {}, True, VOCABULARY)
    words = [word.text for sentence in sentences for word in sentence.words]
    written = read_as_spoken(plain, language, FORMATTING_ONLY)
    assert letters("".join(words)) == letters(written.as_written(0, len(written.original)))
    check_chunks(sentences)


def check_chunks(sentences: Sequence[PhonemeSentence]) -> None:
    chunks = list(plan_chunks(sentence.phonemes for sentence in sentences))
    assert all(0 < len(chunk.phonemes) <= LONGEST for chunk in chunks)
    spoken = "".join(chunk.phonemes for chunk in chunks)
    assert spoken.replace(" ", "") == "".join(s.phonemes for s in sentences).replace(" ", "")
    placed = [word.text for words in words_of_chunks(sentences, chunks) for word in words]
    assert placed == [word.text for sentence in sentences for word in sentence.words]


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
