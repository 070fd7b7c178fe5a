"""Pieces of speech brought to one level while they are being made."""

from __future__ import annotations

import numpy as np

from modules.core_components.values import FloatArray

_WINDOW_S = 0.02
_SILENCE_BELOW_PEAK = 10 ** (-40 / 20)
# A difference of more than 4 dB is meant: somebody whispers, or shouts.
_MOST = 10 ** (4 / 20)


class LevelMatcher:
    """The first piece sets the level; each later one is turned up or down as a whole to meet it.

    How loud a piece is shows in its first chunk, so that one should be a second or two long.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._window = int(_WINDOW_S * sample_rate_hz)
        self._first = True
        self._heard: list[FloatArray] = []
        self._gain: float | None = 1.0

    def feed(self, samples: FloatArray) -> FloatArray:
        """The next chunk of a piece, float32 [n] within -1..1, at the level of the first piece."""
        if self._first:
            self._heard.append(self._voiced_power(samples))
            return samples
        if self._gain is None:
            power = self._voiced_power(samples)
            if not len(power):
                return samples
            target = np.concatenate(self._heard)
            change = float(np.sqrt(target.mean() / power.mean())) if len(target) else 1.0
            self._gain = min(max(change, 1 / _MOST), _MOST)
        turned: FloatArray = np.clip(samples * np.float32(self._gain), -1.0, 1.0)
        return turned

    def end_piece(self) -> None:
        """The next chunk belongs to another piece."""
        self._first = False
        self._gain = None

    def _voiced_power(self, samples: FloatArray) -> FloatArray:
        """The mean squares of the windows that are not silent."""
        whole = len(samples) // self._window * self._window
        power = np.square(samples[:whole]).reshape(-1, self._window).mean(axis=1)
        loud: FloatArray = power[power > power.max(initial=0.0) * _SILENCE_BELOW_PEAK**2]
        return loud
