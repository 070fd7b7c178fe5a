"""Chunks of speech joined: a pause as long as the place in the text asks for, and no click."""

from __future__ import annotations

import numpy as np

from modules.core_components.ai_models.engines.kokoro.chunks import Ending
from modules.core_components.values import FloatArray

# Silence left on each side of a join, in seconds at normal speed. Kokoro leaves what a sentence
# needs; inside a sentence it is too much.
_KEPT_S = {Ending.CLAUSE: 0.10, Ending.WORD: 0.02}
_FADE_S = 0.004
_WINDOW_S = 0.005
_SILENCE_BELOW_PEAK = 10 ** (-40 / 20)


def shape_joins(
    samples: FloatArray,
    sample_rate_hz: int,
    before: Ending | None,
    after: Ending | None,
    speed: float = 1.0,
) -> tuple[FloatArray, int]:
    """A chunk's `samples` [n] with its ends prepared for the join `before` and `after` it, and how
    many samples were taken off its beginning.

    None stands for the beginning and the end of the whole speech, which stay as they are.
    """
    first, last = _voiced_span(samples, sample_rate_hz)
    start, end = 0, len(samples)
    if before in _KEPT_S:
        start = max(0, first - int(_KEPT_S[before] / speed * sample_rate_hz))
    if after in _KEPT_S:
        end = min(end, last + int(_KEPT_S[after] / speed * sample_rate_hz))
    shaped = samples[start:end].copy()
    fade = min(int(_FADE_S * sample_rate_hz), len(shaped) // 2)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    if before is not None:
        shaped[:fade] *= ramp
    if after is not None:
        shaped[len(shaped) - fade :] *= ramp[::-1]
    return shaped, start


def _voiced_span(samples: FloatArray, sample_rate_hz: int) -> tuple[int, int]:
    """First and last sample of what is louder than 40 dB below the chunk's peak."""
    window = int(_WINDOW_S * sample_rate_hz)
    whole = len(samples) // window * window
    if whole == 0:
        return 0, len(samples)
    peaks = np.abs(samples[:whole]).reshape(-1, window).max(axis=1)
    loud = np.flatnonzero(peaks > peaks.max() * _SILENCE_BELOW_PEAK)
    if len(loud) == 0:
        return 0, len(samples)
    return int(loud[0]) * window, min(len(samples), (int(loud[-1]) + 1) * window)
