"""Figures of a recording of any length, measured a piece at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.core_components.audio.measure import (
    FULL_SCALE,
    SHORTEST_CLIPPED_RUN,
    SILENT_DBFS,
    frame_powers,
    noise_power,
    signal_to_noise_of,
)
from modules.core_components.values import FloatArray, Speech

# ITU-R BS.1770-4: blocks of 0.4 s that begin every 0.1 s; those below -70 LUFS do not count, nor
# those more than 10 LU below the mean of the others.
_STEP_S, _STEPS_IN_BLOCK = 0.1, 4
_GATE_LUFS, _GATE_LU = -70.0, 10.0
_LOUDNESS_OF_FULL_SCALE = -0.691
_FRAME_S = 0.02


@dataclass(frozen=True)
class Figures:
    """What can be measured of a recording. Levels are None where nothing sounds.

    `noise_dbfs` is what is heard in the pauses: the mean of the quietest twentieth of its frames.
    """

    loudness_lufs: float | None
    signal_to_noise_db: float | None
    peak: float
    clipping_fraction: float
    offset: float
    noise_dbfs: float | None = None


def measure(speech: Speech) -> Figures:
    """The figures of speech that is at hand as a whole."""
    running = RunningMeasures(speech.sample_rate_hz)
    running.feed(speech.samples)
    return running.figures()


class RunningMeasures:
    """Is fed the samples in order, in pieces of any length; the figures do not depend on them."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._loudness = _RunningLoudness(sample_rate_hz)
        self._frame = max(1, round(_FRAME_S * sample_rate_hz))
        self._rest = np.zeros(0, np.float32)
        self._powers: list[FloatArray] = []
        self._count = 0
        self._sum = 0.0
        self._peak = 0.0
        self._clipped = self._run = 0

    def feed(self, samples: FloatArray) -> None:
        """The next samples, float32 [n]."""
        if not len(samples):
            return
        self._count += len(samples)
        self._sum += float(samples.sum(dtype=np.float64))
        self._peak = max(self._peak, float(np.abs(samples).max()))
        self._count_clipped(samples)
        self._loudness.feed(samples)
        waiting = np.concatenate([self._rest, samples])
        whole = len(waiting) // self._frame * self._frame
        self._powers.append(frame_powers(waiting[:whole], self._frame))
        self._rest = waiting[whole:]

    def figures(self) -> Figures:
        """Of all that was fed so far."""
        powers = np.concatenate([np.zeros(0), *self._powers])
        run = self._run if self._run >= SHORTEST_CLIPPED_RUN else 0
        quietest = 10 * math.log10(noise_power(powers)) if len(powers) else SILENT_DBFS
        is_silent = not len(powers) or powers.max() <= 10 ** (SILENT_DBFS / 10)
        return Figures(
            loudness_lufs=self._loudness.result(),
            signal_to_noise_db=signal_to_noise_of(powers),
            peak=self._peak,
            clipping_fraction=(self._clipped + run) / max(self._count, 1),
            offset=self._sum / max(self._count, 1),
            noise_dbfs=None if is_silent else quietest,
        )

    def _count_clipped(self, samples: FloatArray) -> None:
        """Adds up runs at full scale; one that reaches the end may go on in the next piece."""
        full = np.concatenate([[False], np.abs(samples) >= FULL_SCALE, [False]])
        edges = np.flatnonzero(full[1:] != full[:-1])
        starts, ends = edges[::2], edges[1::2]
        lengths = (ends - starts).astype(int).tolist()
        if len(starts) and starts[0] == 0:
            lengths[0] += self._run
        elif self._run:
            lengths.insert(0, self._run)
        self._run = lengths.pop() if len(ends) and ends[-1] == len(samples) else 0
        self._clipped += sum(length for length in lengths if length >= SHORTEST_CLIPPED_RUN)


class _RunningLoudness:
    """Integrated loudness; equals `measure.loudness_lufs` (pyloudnorm) of the whole."""

    def __init__(self, sample_rate_hz: int) -> None:
        from pyloudnorm.iirfilter import IIRfilter

        self._rate_hz = sample_rate_hz
        shelf = IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, sample_rate_hz, "high_shelf")
        high_pass = IIRfilter(0.0, 0.5, 38.0, sample_rate_hz, "high_pass")
        self._filters: list[Any] = [shelf, high_pass]
        self._states = [np.zeros(max(len(f.a), len(f.b)) - 1) for f in self._filters]
        self._count = 0
        self._energies: list[float] = []
        self._energy = 0.0

    def feed(self, samples: FloatArray) -> None:
        from scipy.signal import lfilter

        weighted = samples.astype(np.float64)
        for index, one in enumerate(self._filters):
            weighted, self._states[index] = lfilter(one.b, one.a, weighted, zi=self._states[index])
            weighted = weighted * one.passband_gain
        power = np.square(weighted)
        at = 0
        while at < len(power):
            end = int((len(self._energies) + 1) * _STEP_S * self._rate_hz)
            upto = min(at + end - self._count, len(power))
            self._energy += float(power[at:upto].sum())
            self._count += upto - at
            at = upto
            if self._count == end:
                self._energies.append(self._energy)
                self._energy = 0.0

    def result(self) -> float | None:
        """None below the length of a block, and for silence."""
        block_s = _STEPS_IN_BLOCK * _STEP_S
        duration_s = self._count / self._rate_hz
        if duration_s <= block_s:
            return None
        blocks = round((duration_s - block_s) / _STEP_S) + 1
        steps = np.zeros(blocks + _STEPS_IN_BLOCK)
        found = np.array([*self._energies, self._energy])[: len(steps)]
        steps[: len(found)] = found
        sums = np.convolve(steps, np.ones(_STEPS_IN_BLOCK), "valid")[:blocks]
        power = sums / (block_s * self._rate_hz)
        loud = power[power > _power_of(_GATE_LUFS)]
        if not len(loud):
            return None
        gated = power[power > max(_power_of(_GATE_LUFS), loud.mean() * 10 ** (-_GATE_LU / 10))]
        return _LOUDNESS_OF_FULL_SCALE + 10 * math.log10(float(gated.mean()))


def _power_of(loudness_lufs: float) -> float:
    return float(10 ** ((loudness_lufs - _LOUDNESS_OF_FULL_SCALE) / 10))
