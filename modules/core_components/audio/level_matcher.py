"""Parts of one speech that were made one by one, brought to one level while they are made."""

from __future__ import annotations

import numpy as np

from modules.core_components.audio.measure import loud_level_dbfs
from modules.core_components.values import FloatArray, Speech

# How much of a part is listened to before any of it is heard: enough for some words.
_LISTENED_S = 2.0
_REFERENCE_S = 30.0
_MOST_DB = 6.0
_NOTHING_DBFS = -60.0  # what is below is no speech to be matched


class LevelMatcher:
    """Gives each part after the first one gain, by its first two seconds, and no other: a level
    that is followed more closely would pump. The first part is heard at once and as it is."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._reference = np.zeros(0, np.float32)
        self._reference_dbfs: float | None = None
        self._held = np.zeros(0, np.float32)
        self._gain: float | None = 1.0

    def feed(self, samples: FloatArray) -> FloatArray:
        """The next samples of a part in, what can be heard already out; float32 [n] both."""
        if self._reference_dbfs is None:
            missing = int(_REFERENCE_S * self._rate_hz) - len(self._reference)
            self._reference = np.concatenate([self._reference, samples[: max(0, missing)]])
        if self._gain is not None:
            return samples * np.float32(self._gain)
        self._held = np.concatenate([self._held, samples])
        if len(self._held) < _LISTENED_S * self._rate_hz:
            return np.zeros(0, np.float32)
        return self._released()

    def end_part(self) -> FloatArray:
        """What was held of a part that is short; the next `feed` begins another part."""
        rest = self._released() if self._gain is None else self._held
        if self._reference_dbfs is None:
            self._reference_dbfs = loud_level_dbfs(Speech(self._reference, self._rate_hz))
        self._held, self._gain = np.zeros(0, np.float32), None
        return rest

    def _released(self) -> FloatArray:
        level = loud_level_dbfs(Speech(self._held, self._rate_hz))
        wanted = level if self._reference_dbfs is None else self._reference_dbfs
        difference = wanted - level if min(level, wanted) > _NOTHING_DBFS else 0.0
        self._gain = 10 ** (float(np.clip(difference, -_MOST_DB, _MOST_DB)) / 20)
        released, self._held = self._held * np.float32(self._gain), np.zeros(0, np.float32)
        return released
