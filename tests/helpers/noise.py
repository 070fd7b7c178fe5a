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


def in_room(speech: Speech, decay_s: float, direct_db: float = 0.0) -> Speech:
    """As heard in a room whose sound decays by 60 dB within `decay_s`, the direct sound `direct_db`
    louder than the room: noise with an exponential decay for the room's response."""
    rate_hz = speech.sample_rate_hz
    times = np.arange(round(1.2 * decay_s * rate_hz)) / rate_hz
    room = white(len(times), seed=1) * 10 ** (-3 * times / decay_s)
    room[: round(0.002 * rate_hz)] = 0
    room *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(room**2))
    room[0] = 1.0
    size = len(speech.samples) + len(room) - 1
    heard = np.fft.irfft(np.fft.rfft(speech.samples, size) * np.fft.rfft(room, size), size)
    heard = heard[: len(speech.samples)] / np.abs(heard).max() * np.abs(speech.samples).max()
    return Speech(heard.astype(np.float32), rate_hz)
