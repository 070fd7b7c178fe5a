"""Pieces of speech joined while they are being made: no click, and a pause as long as it should be.

The cloning models begin and end a piece with anything between nothing and a second of near
silence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.core_components.values import FloatArray

SENTENCE_PAUSE_S = 0.35
PARAGRAPH_PAUSE_S = 0.7

# Silence that stays around what is voiced: breath and decay belong to the voice.
_KEPT_BEFORE_S = 0.05
_KEPT_AFTER_S = 0.15
_FADE_S = 0.004
_WINDOW_S = 0.005
_SILENCE_BELOW_PEAK = 10 ** (-40 / 20)
_SILENCE = 10 ** (-50 / 20)  # whatever the peak so far


class PieceJoiner:
    """Takes the chunks of one piece after the other and gives what can be played already.

    Silence is held back until it is known whether anything follows it. `speed` shortens pauses.
    """

    def __init__(self, sample_rate_hz: int, speed: float = 1.0) -> None:
        self._window = int(_WINDOW_S * sample_rate_hz)
        self._kept_before = int(_KEPT_BEFORE_S * sample_rate_hz)
        self._kept_after = int(_KEPT_AFTER_S * sample_rate_hz)
        self._fade = int(_FADE_S * sample_rate_hz)
        self._pause_rate = sample_rate_hz / speed
        self._begin()

    def _begin(self) -> None:
        self._held = np.zeros(0, np.float32)
        self._peak = 0.0
        self._voiced = False

    def feed(self, samples: FloatArray) -> FloatArray:
        """The next chunk of the piece in, what is certain to be heard out; float32 [n] both."""
        self._held = np.concatenate([self._held, samples])
        # The last samples wait in any case: they may have to be faded out.
        end = self._end_of_sound() - self._fade
        if end <= 0:
            return np.zeros(0, np.float32)
        start = 0
        if not self._voiced:
            start = min(end, max(0, self._start_of_sound() - self._kept_before))
        ready, self._held = self._held[start:end].copy(), self._held[end:]
        if not self._voiced:
            self._voiced = True
            ready = _faded_in(ready, self._fade)
        return ready

    def end_piece(self, pause_s: float) -> FloatArray:
        """What remains of the piece, faded out, and the pause after it (0: the speech ends)."""
        tail = _faded_in(self._held[: self._kept_after].copy()[::-1], self._fade)[::-1]
        spoken = self._voiced
        self._begin()
        if not spoken:
            return np.zeros(0, np.float32)
        silent = max(0, int(pause_s * self._pause_rate) - len(tail) - self._kept_before)
        return np.concatenate([tail, np.zeros(silent if pause_s else 0, np.float32)])

    def _end_of_sound(self) -> int:
        """Just behind the last window of the held samples that is not silent; 0: all are."""
        self._peak = max(self._peak, float(self._peaks(self._held).max(initial=0.0)))
        loud = self._loud_windows(self._held)
        return (int(loud[-1]) + 1) * self._window if len(loud) else 0

    def _start_of_sound(self) -> int:
        loud = self._loud_windows(self._held)
        return int(loud[0]) * self._window

    def _loud_windows(self, samples: FloatArray) -> NDArray[np.int64]:
        return np.flatnonzero(
            self._peaks(samples) > max(self._peak * _SILENCE_BELOW_PEAK, _SILENCE)
        )

    def _peaks(self, samples: FloatArray) -> FloatArray:
        whole = len(samples) // self._window * self._window
        return np.abs(samples[:whole]).reshape(-1, self._window).max(axis=1, initial=0.0)


def _faded_in(samples: FloatArray, fade: int) -> FloatArray:
    fade = min(fade, len(samples))
    samples[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)
    return samples
