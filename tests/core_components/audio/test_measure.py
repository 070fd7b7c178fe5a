"""Figures against signals whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.audio.measure import (
    bandwidth_hz,
    clipping_fraction,
    loud_level_dbfs,
    loudness_lufs,
    peak,
    silence_fraction,
)
from modules.core_components.audio.resample import resample
from modules.core_components.values import Speech

RATE = 48_000


def sine(amplitude: float, frequency_hz: float = 1000.0, seconds: float = 2.0) -> Speech:
    time = np.arange(round(seconds * RATE)) / RATE
    return Speech((amplitude * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32), RATE)


def silence(seconds: float = 1.0) -> Speech:
    return Speech(np.zeros(round(seconds * RATE), np.float32), RATE)


def test_loudness_of_the_standards_reference_tone() -> None:
    # BS.1770: 997 Hz at full scale in one channel reads -3.01 LKFS.
    assert loudness_lufs(sine(1.0, 997.0)) == pytest.approx(-3.01, abs=0.05)
    assert loudness_lufs(sine(0.1, 997.0)) == pytest.approx(-23.01, abs=0.05)


def test_there_is_no_loudness_of_silence_or_of_a_moment() -> None:
    assert loudness_lufs(silence()) is None
    assert loudness_lufs(sine(0.5, seconds=0.3)) is None
    assert loudness_lufs(sine(1e-5)) is None  # below the absolute gate
    assert loudness_lufs(silence(0.0)) is None


def test_peak() -> None:
    assert peak(Speech(np.array([0.1, -0.7, 0.3], np.float32), RATE)) == pytest.approx(0.7)
    assert peak(silence(0.0)) == 0.0


def test_silence_is_counted_in_time() -> None:
    parts = [sine(0.3, seconds=3.0).samples, silence(1.0).samples]
    assert silence_fraction(Speech(np.concatenate(parts), RATE)) == pytest.approx(0.25, abs=0.01)
    assert silence_fraction(sine(0.3)) == 0.0
    assert silence_fraction(silence()) == 1.0
    assert silence_fraction(silence(0.0)) == 1.0


def test_a_quiet_hiss_counts_as_a_pause() -> None:
    hiss = np.random.default_rng(0).normal(scale=0.001, size=RATE).astype(np.float32)
    speech = Speech(np.concatenate([sine(0.3, seconds=3.0).samples, hiss]), RATE)
    assert silence_fraction(speech) == pytest.approx(0.25, abs=0.01)


def test_loud_level_is_that_of_the_loud_parts() -> None:
    parts = [sine(0.1, seconds=1.0).samples, silence(4.0).samples]
    assert loud_level_dbfs(Speech(np.concatenate(parts), RATE)) == pytest.approx(-23.0, abs=0.2)
    assert loud_level_dbfs(silence()) == -120.0
    assert loud_level_dbfs(silence(0.0)) == -120.0


def test_clipping_is_found_and_a_loud_peak_is_not_clipping() -> None:
    overdriven = Speech(np.clip(sine(2.0).samples, -1, 1), RATE)
    # A sine of twice full scale is beyond it for two thirds of the time (48 samples a period).
    assert clipping_fraction(overdriven) == pytest.approx(2 / 3, abs=2.5 / 48)
    assert clipping_fraction(sine(0.9)) == 0.0
    single_peaks = np.zeros(1000, np.float32)
    single_peaks[::10] = 1.0
    assert clipping_fraction(Speech(single_peaks, RATE)) == 0.0
    assert clipping_fraction(silence(0.0)) == 0.0


@pytest.mark.parametrize("band_hz", [8_000, 16_000])
def test_bandwidth_shows_through_a_higher_sample_rate(band_hz: int) -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=3 * band_hz).astype(np.float32)
    speech = Speech(resample(noise, band_hz, RATE), RATE)
    assert bandwidth_hz(speech) == pytest.approx(band_hz / 2, rel=0.05)
    assert bandwidth_hz(silence()) == RATE / 2
