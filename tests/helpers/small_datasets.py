"""Datasets of a few synthetic clips, written by the real library."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modules.core_components.audio.files import write_speech
from modules.core_components.dataset.values import (
    EVAL,
    SAMPLE_RATE_HZ,
    TRAIN,
    Clip,
    Dataset,
    Source,
)
from modules.core_components.values import FloatArray, Speech, Word
from modules.tools.services import Services

PAUSE_S = 0.25


def babble(seconds: float, seed: int = 0, level: float = 0.1) -> FloatArray:
    """Sound that comes and goes as syllables do, 0.25 s of silence at both ends."""
    count = round(seconds * SAMPLE_RATE_HZ)
    times_s = np.arange(count) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(seed).normal(size=count)
    syllables = np.clip(np.sin(2 * np.pi * 3 * times_s), 0.05, None)
    quiet = (times_s < PAUSE_S) | (times_s > seconds - PAUSE_S)
    return np.where(quiet, 0.0, level * noise * syllables).astype(np.float32)


def spread_words(text: str, seconds: float) -> tuple[Word, ...]:
    """The words of a text, of one length each, between the pauses."""
    edges = np.linspace(PAUSE_S, seconds - PAUSE_S, len(text.split()) + 1).tolist()
    return tuple(Word(word, edges[i], edges[i + 1]) for i, word in enumerate(text.split()))


def make_dataset(
    services: Services,
    clips: Sequence[tuple[str, FloatArray]],
    name: str = "Anna",
    language: str = "en",
    evaluation: int = 1,
) -> Dataset:
    """A dataset of one recording; the last `evaluation` clips are kept for the evaluation."""
    dataset = services.datasets.create(name, language, "Anna")
    rows, at_s = [], 0.0
    for number, (text, samples) in enumerate(clips):
        seconds = len(samples) / SAMPLE_RATE_HZ
        is_eval = number >= len(clips) - evaluation
        clip = Clip(
            id=f"aa_{number:04d}",
            source="aa",
            start_s=at_s,
            end_s=at_s + seconds,
            text=text,
            heard=text,
            words=spread_words(text, seconds),
            subset=EVAL if is_eval else TRAIN,
            speaker="Anna",
        )
        write_speech(dataset.wav_of(clip), Speech(samples, SAMPLE_RATE_HZ))
        rows.append(clip)
        at_s += seconds
    source = Source("aa", "tape.wav", "0" * 64, at_s, tuple(rows), ())
    return services.datasets.save_source(dataset, source)
