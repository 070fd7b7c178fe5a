"""What a clip's sound shows: loudness, noise, clipping, bandwidth."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.audio.measure import (
    bandwidth_hz,
    clipping_fraction,
    loudness_lufs,
    signal_to_noise_db,
)
from modules.core_components.values import Speech

# Counts in the keys of kept measures: raise it when a figure is computed otherwise.
VERSION = 1
# Clipped tops ripple a little once they were resampled to the clip's rate.
_FULL_SCALE_RESAMPLED = 0.98
_CLEAR_DB, _CLEAR_CLIPPING = 20.0, 0.001


@dataclass(frozen=True)
class SoundMeasures:
    """See ClipMeasures for the units."""

    duration_s: float
    loudness_lufs: float | None
    signal_to_noise_db: float | None
    clipping: float
    bandwidth_hz: float


def measure_sound(speech: Speech, gain_db: float = 0.0) -> SoundMeasures:
    """The figures of a clip; `gain_db` was applied when it was cut.

    Clipping is looked for at the level of the recording: a clip that was made quieter afterwards
    is as distorted as before.
    """
    recorded = Speech(speech.samples / 10 ** (gain_db / 20), speech.sample_rate_hz)
    return SoundMeasures(
        duration_s=speech.duration_s,
        loudness_lufs=loudness_lufs(speech),
        signal_to_noise_db=signal_to_noise_db(speech),
        clipping=clipping_fraction(recorded, _FULL_SCALE_RESAMPLED),
        bandwidth_hz=bandwidth_hz(speech),
    )


def is_clear(sound: SoundMeasures) -> bool:
    """Whether there is sound, without much noise or distortion."""
    noise = sound.signal_to_noise_db
    audible = sound.loudness_lufs is not None and noise is not None
    return audible and (noise or 0.0) >= _CLEAR_DB and sound.clipping <= _CLEAR_CLIPPING
