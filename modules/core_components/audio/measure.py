"""Measures of audio: level, loudness, pauses, clipping, bandwidth.

Levels and the span that sounds are computed here and not by librosa: its import costs a second or
two where a level takes a thousandth, its `effects.trim` measures from the loudest frame (one click,
and quiet speech counts as silence; here it is the 95th percentile), and its frames overlap. Where
both say the same, the tests compare the numbers (bench/audio_libraries.py has the times).
"""

from __future__ import annotations

import math

import numpy as np

from modules.core_components.values import FloatArray, Speech

# -1 dBFS: where the loudness is raised, no peak goes above it.
HIGHEST_PEAK = 10 ** (-1 / 20)
# A larger share of clipped samples can be heard.
AUDIBLE_CLIPPING = 0.0005

_FRAME_S = 0.02
_SILENCE_BELOW_LOUD_DB = 40.0
# A frame below this is silent.
SILENT_DBFS = -60.0
# A recording whose peak is below this (-80 dBFS) holds no sound.
INAUDIBLE = 1e-4
# Samples in a row at full scale are clipped.
FULL_SCALE = 0.999
SHORTEST_CLIPPED_RUN = 3
_BAND_BELOW_PEAK_DB = 60.0
_QUIET_SHARE = 0.05
_CLEANEST_DB = 90.0
_LEAST_POWER = 1e-12
_SPECTRUM_WINDOW = 1024


def loudness_lufs(speech: Speech) -> float | None:
    """Integrated loudness by ITU-R BS.1770-4; None below its 0.4 s block or for silence."""
    import pyloudnorm

    meter = pyloudnorm.Meter(speech.sample_rate_hz)
    if speech.duration_s <= meter.block_size or not speech.samples.any():
        return None
    loudness = float(meter.integrated_loudness(speech.samples.astype(np.float64)))
    return loudness if math.isfinite(loudness) else None


def peak(speech: Speech) -> float:
    """The largest absolute sample; 1 is full scale."""
    return float(np.abs(speech.samples).max(initial=0.0))


def headroom_db(speech: Speech) -> float:
    """How far it can be raised until its peaks reach `HIGHEST_PEAK`; infinite for silence."""
    return headroom_of_db(peak(speech))


def headroom_of_db(highest: float) -> float:
    """The same by the largest absolute sample."""
    return 20 * math.log10(HIGHEST_PEAK / highest) if highest else math.inf


def silence_fraction(speech: Speech) -> float:
    """The share of 20 ms frames that are pauses, 0 to 1.

    A pause lies 40 dB below the loud frames (their 95th percentile), or below -60 dBFS.
    """
    levels = _frame_levels_dbfs(speech)
    if not len(levels):
        return 1.0
    return float((levels < _pause_below_dbfs(levels)).mean())


def sounding_span_s(speech: Speech) -> tuple[float, float]:
    """From where to where it sounds, in seconds: silence (see `silence_fraction`) at both ends is
    left out. (0, 0) where nothing sounds."""
    levels = _frame_levels_dbfs(speech)
    sounding = np.flatnonzero(levels >= _pause_below_dbfs(levels)) if len(levels) else levels
    if not len(sounding):
        return (0.0, 0.0)
    end_s = (int(sounding[-1]) + 1) * _FRAME_S
    return (int(sounding[0]) * _FRAME_S, min(end_s, speech.duration_s))


def pauses_s(speech: Speech, shortest_s: float = 0.3) -> list[tuple[float, float]]:
    """Where nothing sounds (see `silence_fraction`) for `shortest_s` or longer: (start, end) in
    seconds, in order; the ends of the recording too."""
    levels = _frame_levels_dbfs(speech)
    if not len(levels):
        return []
    quiet = np.concatenate([[False], levels < _pause_below_dbfs(levels), [False]])
    edges = np.flatnonzero(quiet[1:] != quiet[:-1]) * _FRAME_S
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(a, min(b, speech.duration_s)) for a, b in spans if b - a >= shortest_s]


def loud_level_dbfs(speech: Speech) -> float:
    """The level of the loud 20 ms frames (95th percentile of their RMS); -120 for silence."""
    levels = _frame_levels_dbfs(speech)
    return float(np.percentile(levels, 95)) if len(levels) else -120.0


def clipping_fraction(speech: Speech, full_scale: float = FULL_SCALE) -> float:
    """The share of samples that lie in runs of three or more at `full_scale`, 0 to 1."""
    if not len(speech.samples):
        return 0.0
    full = np.concatenate([[False], np.abs(speech.samples) >= full_scale, [False]])
    edges = np.flatnonzero(full[1:] != full[:-1])
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= SHORTEST_CLIPPED_RUN].sum()) / len(speech.samples)


def signal_to_noise_db(speech: Speech) -> float | None:
    """How far the speech stands above what is heard in its pauses; 90 where those are empty.

    The quietest twentieth of the 20 ms frames is taken for the noise, so a recording needs pauses
    of that length. None for silence.
    """
    size = max(1, round(_FRAME_S * speech.sample_rate_hz))
    return signal_to_noise_of(frame_powers(speech.samples, size))


def signal_to_noise_of(powers: FloatArray) -> float | None:
    """The same by the powers of the frames [n], in any order."""
    if not len(powers) or powers.max() <= _silent_power():
        return None
    noise = noise_power(powers)
    signal = float(powers.mean()) - noise
    if signal <= 0:
        return 0.0
    return min(10 * math.log10(signal / noise), _CLEANEST_DB)


def noise_power(powers: FloatArray) -> float:
    """The mean power of the quietest twentieth of frames [n], n at least 1."""
    quietest = np.sort(powers)[: max(1, round(_QUIET_SHARE * len(powers)))]
    return max(float(quietest.mean()), _LEAST_POWER)


def bandwidth_hz(speech: Speech) -> float:
    """Up to where the recording holds sound: the highest frequency within 60 dB of the strongest.

    Read off the long-term power spectrum (Hann windows of 1024 samples, half overlapping), so a
    telephone recording shows its 3.4 kHz however high its sample rate is.
    """
    window = _SPECTRUM_WINDOW
    if len(speech.samples) < window or not speech.samples.any():
        return speech.sample_rate_hz / 2
    frames = np.lib.stride_tricks.sliding_window_view(speech.samples, window)[:: window // 2]
    shape = np.hanning(window).astype(np.float32)
    power = np.zeros(window // 2 + 1)
    for start in range(0, len(frames), 256):  # a block at a time: two hours stay small in memory
        power += (np.abs(np.fft.rfft(frames[start : start + 256] * shape)) ** 2).sum(axis=0)
    within = np.flatnonzero(power >= power.max() * 10 ** (-_BAND_BELOW_PEAK_DB / 10))
    return float(within[-1] * speech.sample_rate_hz / window)


def _pause_below_dbfs(levels: FloatArray) -> float:
    return max(float(np.percentile(levels, 95)) - _SILENCE_BELOW_LOUD_DB, SILENT_DBFS)


def _silent_power() -> float:
    return float(10 ** (SILENT_DBFS / 10))


def frame_powers(samples: FloatArray, size: int) -> FloatArray:
    """The mean power of each whole frame of `size` samples, float64 [n_frames], 1e-12 at least."""
    whole = len(samples) // size * size
    frames = samples[:whole].reshape(-1, size).astype(np.float64)
    return np.maximum((frames**2).mean(axis=1) if whole else np.zeros(0), _LEAST_POWER)


def _frame_levels_dbfs(speech: Speech) -> FloatArray:
    """RMS level of each whole 20 ms frame [n_frames], floored at -120 dBFS."""
    size = max(1, round(_FRAME_S * speech.sample_rate_hz))
    return np.asarray(10 * np.log10(frame_powers(speech.samples, size)), dtype=np.float32)
