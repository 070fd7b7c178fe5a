"""What the findings are drawn from: each clip as it was measured, and what is usual among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.core_components.dataset.report import ClipMeasures
from modules.core_components.dataset.values import Clip

# Of a normal distribution: its spread over its median absolute deviation.
_SPREAD_OF_DEVIATION = 1.4826
_NARROWEST_SPREAD = 0.1


@dataclass(frozen=True)
class ClipFacts:
    """A clip, its figures (None if its wav cannot be read, then `problem` says why), and more.

    `text_fault` is why the trainer would drop the text, `unknown_words` which words do it.
    `language` is what a listener took it for, with its probability; `group` the number of its
    speaker, 0 for the main one, None where nobody listened.
    """

    clip: Clip
    measures: ClipMeasures | None
    sound_sha256: str = ""
    problem: str = ""
    text_fault: str = ""
    unknown_words: tuple[str, ...] = ()
    language: tuple[str, float] | None = None
    heard: str | None = None
    group: int | None = None


@dataclass(frozen=True)
class Usual:
    """Medians over the dataset; `rate_spread` is that of the logarithm of the speaking rate."""

    bandwidth_hz: float
    signal_to_noise_db: float
    loudness_lufs: float
    letters_per_s: float
    rate_spread: float

    def rate_deviation(self, letters_per_s: float) -> float:
        """How many spreads a speaking rate lies from the usual; negative for slow."""
        return math.log(letters_per_s / self.letters_per_s) / self.rate_spread


def usual_among(measures: Sequence[ClipMeasures]) -> Usual:
    """The medians of at least one clip."""
    rates = np.log([m.letters_per_s for m in measures if m.letters_per_s] or [1.0])
    deviation = float(np.median(np.abs(rates - np.median(rates))))
    return Usual(
        bandwidth_hz=_median([m.bandwidth_hz for m in measures]),
        signal_to_noise_db=_median([m.signal_to_noise_db for m in measures]),
        loudness_lufs=_median([m.loudness_lufs for m in measures]),
        letters_per_s=float(np.exp(np.median(rates))),
        rate_spread=max(_SPREAD_OF_DEVIATION * deviation, _NARROWEST_SPREAD),
    )


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else 0.0
