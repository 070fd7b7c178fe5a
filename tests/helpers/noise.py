"""Noise, and speech in it."""

from __future__ import annotations

import numpy as np

from modules.core_components.values import FloatArray, Speech


def white(count: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


def pink(count: int, seed: int = 0) -> FloatArray:
    """As loud in each octave."""
    spectrum = np.fft.rfft(white(count, seed))
    shaped = spectrum / np.sqrt(np.arange(1, len(spectrum) + 1))
    return np.fft.irfft(shaped, count).astype(np.float32)


def with_noise(speech: Speech, noise: FloatArray, snr_db: float) -> Speech:
    """The mean power of the speech is `snr_db` above that of the noise."""
    ratio = np.mean(speech.samples**2) / np.mean(noise**2) / 10 ** (snr_db / 10)
    return Speech(speech.samples + noise * np.float32(np.sqrt(ratio)), speech.sample_rate_hz)
