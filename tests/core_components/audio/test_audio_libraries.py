"""Our measures of audio say what librosa says, where both mean the same."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from bench import audio_libraries
from modules.core_components.audio.measure import sounding_span_s
from modules.core_components.values import Speech

RATE_HZ = 22_050


def test_the_mel_filters_are_librosas() -> None:
    assert np.abs(audio_libraries.own_mel() - audio_libraries.librosa_mel()).max() < 1e-7


def test_the_levels_are_librosas() -> None:
    assert np.abs(audio_libraries.own_levels() - audio_libraries.librosa_levels()).max() < 1e-6


def test_resampling_is_librosas() -> None:
    ours, theirs = audio_libraries.own_resampling(), audio_libraries.librosa_resampling()
    assert np.abs(ours - theirs[: len(ours)]).max() < 1e-6


def test_the_span_that_sounds_is_librosas_but_for_a_click() -> None:
    size = RATE_HZ // 50
    tone = 0.2 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE_HZ) / RATE_HZ)
    samples = np.concatenate([np.zeros(50 * size), tone, np.zeros(25 * size)]).astype(np.float32)
    _, (first, last) = librosa.effects.trim(samples, top_db=40, frame_length=size, hop_length=size)
    start_s, end_s = sounding_span_s(Speech(samples, RATE_HZ))
    assert start_s == pytest.approx(first / RATE_HZ, abs=0.02)
    assert end_s == pytest.approx(last / RATE_HZ, abs=0.021)
    quiet = samples * 0.02
    quiet[10 * size] = 1.0  # a click before quiet speech
    found = sounding_span_s(Speech(quiet, RATE_HZ))
    assert found[1] == pytest.approx(end_s, abs=0.02)
    _, (_, cut) = librosa.effects.trim(quiet, top_db=20, frame_length=size, hop_length=size)
    assert cut / RATE_HZ < 0.3, "from the loudest frame on, the speech counts as silence"
