"""The sample's own words: which of them are taken, and what is laid beside what."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.ai_models.engines.kokoro.fit.text import phrases
from modules.core_components.values import Segment, Word

RATE_HZ = 16_000


def words(text: str, start_s: float = 1.0, each_s: float = 0.5, sure: float = 0.9) -> Segment:
    found = text.split()
    spoken = tuple(
        Word(f" {word}", start_s + i * each_s, start_s + (i + 1) * each_s, sure)
        for i, word in enumerate(found)
    )
    return Segment(text, start_s, start_s + len(found) * each_s, spoken)


@pytest.fixture
def recording() -> np.ndarray:
    """Each sample is its own number, so that a cut shows where it was made."""
    return np.arange(20 * RATE_HZ, dtype=np.float32)


def test_a_phrase_is_cut_where_its_words_are(recording: np.ndarray) -> None:
    (phrase,) = phrases([words("We went home.")], recording)
    assert phrase.text == "We went home."
    assert float(phrase.samples[0]) == pytest.approx(0.92 * RATE_HZ, abs=1)
    assert len(phrase.samples) == pytest.approx(1.66 * RATE_HZ, abs=1)


def test_long_sentences_are_parted_and_marks_end_a_phrase(recording: np.ndarray) -> None:
    text = "When the rain came, we sat in the old boat house and waited for the sun"
    found = [phrase.text for phrase in phrases([words(text)], recording)]
    assert found[0] == "When the rain came,"
    assert " ".join(found) in text  # a short rest is left out
    assert all(len(part.split()) <= 5 for part in found)


def test_guesswork_and_scraps_are_left_out(recording: np.ndarray) -> None:
    assert not list(phrases([words("We went home.", sure=0.4)], recording))
    assert not list(phrases([words("Yes.")], recording))
    assert not list(phrases([words("A very slow one", each_s=5.0)], recording))
    assert not list(phrases([Segment("no words", 0.0, 3.0)], recording))
