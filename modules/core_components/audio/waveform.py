"""What a player draws of a recording: its peaks and its pauses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modules.core_components.audio.measure import pauses_s
from modules.core_components.values import FloatArray, Speech

PEAKS_PER_S = 100
# A longer recording gets wider slices: this many take about half a megabyte of JSON.
MOST_PEAKS = 120_000
HIGHEST = 1000


@dataclass(frozen=True)
class Waveform:
    """A recording of `duration_s` seconds: `peaks` are the largest absolute samples of equally
    long slices, 0 to 1000 (the loudest); `pauses_s` are (start, end) of its pauses."""

    duration_s: float
    peaks: tuple[int, ...]
    pauses_s: tuple[tuple[float, float], ...]


def waveform(speech: Speech) -> Waveform:
    """The peaks and pauses of mono speech, float32 [n]."""
    slices = min(max(1, round(speech.duration_s * PEAKS_PER_S)), MOST_PEAKS)
    found = tuple((round(start, 3), round(end, 3)) for start, end in pauses_s(speech))
    return Waveform(speech.duration_s, peaks(speech.samples, slices), found)


def peaks(samples: FloatArray, slices: int) -> tuple[int, ...]:
    """The largest absolute sample of each of `slices` slices of float32 [n], 1000 the loudest."""
    slices = max(1, min(slices, len(samples)))
    if not len(samples):
        return (0,)
    starts = np.linspace(0, len(samples), slices, endpoint=False).astype(int)
    heights = np.maximum.reduceat(np.abs(samples), starts)
    scaled = heights * (HIGHEST / max(float(heights.max()), 1e-6))
    return tuple(np.rint(scaled).astype(int).tolist())
