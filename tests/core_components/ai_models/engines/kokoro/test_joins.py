"""Joins: pauses kept or shortened, no click, nothing of the speech lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.kokoro import pipeline
from modules.core_components.ai_models.engines.kokoro.pipeline import Ending
from modules.core_components.values import FloatArray

RATE_HZ = 24_000
LEAD_S, SPEECH_S, TAIL_S = 0.3, 1.0, 0.4


@pytest.fixture
def chunk() -> FloatArray:
    """A tone between two silences with the faint hiss that a vocoder leaves there."""
    hiss = np.random.default_rng(1).normal(0, 1e-4, int((LEAD_S + SPEECH_S + TAIL_S) * RATE_HZ))
    tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(int(SPEECH_S * RATE_HZ)) / RATE_HZ)
    start = int(LEAD_S * RATE_HZ)
    hiss[start : start + len(tone)] += tone
    return hiss.astype(np.float32)


def shape_joins(*arguments: Any, **options: Any) -> FloatArray:
    return pipeline.shape_joins(*arguments, **options)[0]


def seconds(samples: FloatArray) -> float:
    return len(samples) / RATE_HZ


def test_beginning_and_end_of_the_speech_stay_as_they_are(chunk: FloatArray) -> None:
    assert np.array_equal(shape_joins(chunk, RATE_HZ, None, None), chunk)


def test_a_sentence_keeps_its_natural_pauses(chunk: FloatArray) -> None:
    joined = shape_joins(chunk, RATE_HZ, Ending.SENTENCE, Ending.SENTENCE)
    assert len(joined) == len(chunk)


@pytest.mark.parametrize(("ending", "kept_s"), [(Ending.CLAUSE, 0.10), (Ending.WORD, 0.02)])
def test_inside_a_sentence_pauses_are_short(
    chunk: FloatArray, ending: Ending, kept_s: float
) -> None:
    joined = shape_joins(chunk, RATE_HZ, ending, ending)
    assert seconds(joined) == pytest.approx(SPEECH_S + 2 * kept_s, abs=0.012)


def test_faster_speech_has_shorter_pauses(chunk: FloatArray) -> None:
    usual = shape_joins(chunk, RATE_HZ, Ending.CLAUSE, None)
    faster = shape_joins(chunk, RATE_HZ, Ending.CLAUSE, None, speed=2.0)
    assert seconds(usual) - seconds(faster) == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize("ending", list(Ending))
def test_a_join_begins_and_ends_at_zero(chunk: FloatArray, ending: Ending) -> None:
    loud = chunk + np.float32(0.3)  # whatever is cut, the edges would click
    joined = shape_joins(loud, RATE_HZ, ending, ending)
    assert joined[0] == 0
    assert joined[-1] == 0


def test_the_speech_itself_is_untouched(chunk: FloatArray) -> None:
    joined = shape_joins(chunk, RATE_HZ, Ending.WORD, Ending.WORD)
    middle = chunk[int((LEAD_S + 0.01) * RATE_HZ) : int((LEAD_S + SPEECH_S - 0.01) * RATE_HZ)]
    windows = np.lib.stride_tricks.sliding_window_view(joined, len(middle))
    assert (windows == middle).all(axis=1).any()


@pytest.mark.parametrize("length", [0, 1, 50, 5000])
def test_silence_and_snippets_of_any_length_pass(length: int) -> None:
    silence = np.zeros(length, np.float32)
    assert len(shape_joins(silence, RATE_HZ, Ending.WORD, Ending.CLAUSE)) == length


def test_it_tells_what_it_took_off_the_beginning(chunk: FloatArray) -> None:
    joined, skipped = pipeline.shape_joins(chunk, RATE_HZ, Ending.WORD, None)
    assert skipped == len(chunk) - len(joined) > 0
