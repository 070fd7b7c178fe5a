"""What one call of a Kokoro gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.core_components.values import FloatArray

SAMPLE_RATE_HZ = 24_000
SAMPLES_PER_FRAME = 600  # a predicted duration counts frames of 1/40 s


@dataclass(frozen=True, eq=False)
class Utterance:
    """One synthesis: `samples` float32 [n] at 24 kHz.

    `durations_frames` int64 [phonemes + 2] holds the length of the leading pause, of every
    phoneme, and of the trailing pause, in frames of 600 samples (1/40 s).
    """

    samples: FloatArray
    durations_frames: NDArray[np.int64]
