"""Cut edges that do not click."""

from __future__ import annotations

import numpy as np

from modules.core_components.values import FloatArray

FADE_S = 0.005


def faded(samples: FloatArray, rate_hz: int) -> FloatArray:
    """A copy of float32 [n] that rises from 0 and falls to it within 5 ms at either end."""
    size = min(round(FADE_S * rate_hz), len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, size, endpoint=False, dtype=np.float32)
    shape = np.ones(len(samples), dtype=np.float32)
    shape[:size] = ramp
    shape[len(samples) - size :] = ramp[::-1]
    return np.asarray(samples * shape, dtype=np.float32)
