"""Mel filters, as librosa computes them.

Ours, because importing librosa costs up to two seconds before the first transcript and the first
likeness (bench/audio_libraries.py). The numbers are the same; a test compares them.
"""

from __future__ import annotations

import math

import numpy as np

from modules.core_components.values import FloatArray

_STEP_HZ, _LOG_FROM_HZ, _LOG_STEP = 200.0 / 3, 1000.0, math.log(6.4) / 27
_LOG_FROM_MEL = _LOG_FROM_HZ / _STEP_HZ


def mel_filters(
    sample_rate_hz: int, window_samples: int, bands: int, highest_hz: float | None = None
) -> FloatArray:
    """Slaney's mel filter bank, float32 [bands, window_samples // 2 + 1].

    Triangles of equal area over a power spectrum (Auditory Toolbox, 1998), the same numbers as
    `librosa.filters.mel`; `highest_hz` is half the sample rate where not given.
    """
    highest_hz = highest_hz or sample_rate_hz / 2
    top = (
        _LOG_FROM_MEL + math.log(highest_hz / _LOG_FROM_HZ) / _LOG_STEP
        if highest_hz >= _LOG_FROM_HZ
        else highest_hz / _STEP_HZ
    )
    mels = np.linspace(0.0, top, bands + 2)
    edges_hz = np.where(
        mels >= _LOG_FROM_MEL,
        _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - _LOG_FROM_MEL)),
        _STEP_HZ * mels,
    )
    bins_hz = np.linspace(0.0, sample_rate_hz / 2, window_samples // 2 + 1)
    slopes = edges_hz[:, None] - bins_hz[None, :]
    width_hz = np.diff(edges_hz)
    rising, falling = -slopes[:-2] / width_hz[:-1, None], slopes[2:] / width_hz[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    return weights.astype(np.float32)
