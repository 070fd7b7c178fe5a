"""Changing the sample rate.

With soxr, which librosa's own `resample` takes by default; torchaudio's is as good only with longer
filters, which make it slower, and knows no pieces (bench/audio_libraries.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import soxr

_QUALITY = "HQ"


def resample(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    """Band-limited resampling (soxr, high quality) of float32 [n] to float32 [~ n * to / from]."""
    if from_hz == to_hz:
        return np.asarray(samples, dtype=np.float32)
    import soxr

    return np.asarray(soxr.resample(samples, from_hz, to_hz, quality=_QUALITY), dtype=np.float32)


class StreamResampler:
    """Resamples piece by piece; the pieces together equal `resample` of the whole.

    Without a rate to go to, the first piece's own is taken. Later pieces may come at other rates
    (a chained stream), all leave at `to_hz`.
    """

    def __init__(self, to_hz: int | None) -> None:
        self._to_hz = to_hz
        self._from_hz: int | None = None
        self._stream: soxr.ResampleStream | None = None

    @property
    def to_hz(self) -> int:
        """The rate of what leaves; known once the first piece was fed."""
        if self._to_hz is None:
            raise ValueError("no audio was fed yet")
        return self._to_hz

    def feed(self, samples: FloatArray, from_hz: int) -> FloatArray:
        """float32 [n] in, float32 [m] out, where m lags behind by the filter's delay."""
        if self._to_hz is None:
            self._to_hz = from_hz
        finished = np.zeros(0, dtype=np.float32)
        if from_hz != self._from_hz:
            finished = self.finish()
            self._start(from_hz)
        resampled = samples if self._stream is None else self._stream.resample_chunk(samples)
        return np.concatenate([finished, resampled]) if len(finished) else resampled

    def finish(self) -> FloatArray:
        """What the filter still holds."""
        stream, self._stream, self._from_hz = self._stream, None, None
        empty = np.zeros(0, dtype=np.float32)
        return empty if stream is None else stream.resample_chunk(empty, last=True)

    def _start(self, from_hz: int) -> None:
        self._from_hz = from_hz
        if from_hz != self._to_hz:
            import soxr

            self._stream = soxr.ResampleStream(
                from_hz, self.to_hz, 1, dtype="float32", quality=_QUALITY
            )
