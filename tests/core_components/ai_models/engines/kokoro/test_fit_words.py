"""The sample's own words: which of them are taken, and what is laid beside what."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.engines.kokoro.fit.text import phrases, warping_path
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


def test_the_path_follows_what_was_stretched() -> None:
    ours = torch.eye(4)
    theirs = ours[[0, 0, 1, 2, 2, 2, 3]]
    path = warping_path((1 - ours @ theirs.T).double().numpy())
    assert path[0] == (0, 0)
    assert path[-1] == (3, 6)
    assert {(i, j) for i, j in path} == {(0, 0), (0, 1), (1, 2), (2, 3), (2, 4), (2, 5), (3, 6)}


def test_every_moment_of_both_is_met() -> None:
    distance = np.random.default_rng(0).random((9, 5))
    path = warping_path(distance)
    assert {i for i, _ in path} == set(range(9))
    assert {j for _, j in path} == set(range(5))
    assert all(0 <= b - a <= 1 and 0 <= d - c <= 1 for (a, c), (b, d) in itertools.pairwise(path))
