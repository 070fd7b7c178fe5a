"""Whether a recording is good enough to clone a voice from: refusals, and what could be better.

Where the limits come from is in docs/performance.md, "A sample's quality": bench/sample_check.py
counts what they find in degraded recordings, and what they say of good ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from modules.core_components.audio.measure import (
    AUDIBLE_CLIPPING,
    SILENT_DBFS,
    bandwidth_hz,
    clipping_fraction,
    frame_powers,
    loud_level_dbfs,
    signal_to_noise_db,
)
from modules.core_components.audio.refusals import no_speech, silent
from modules.core_components.audio.resample import resample
from modules.core_components.audio.speech_regions import speech_seconds
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Speech

MIN_SPEECH_S = 2.0

# What the studio itself can do about a finding.
DENOISE, LEVEL, SHORTEN, ONE_VOICE = "denoise", "level", "shorten", "one_voice"

_GOOD_SPEECH_S = 10.0
_LONG_SPEECH_S = 120.0
_QUIET_DBFS = -38.0
_TELEPHONE_HZ, _DULL_HZ = 4_200, 7_000
_NOISY_DB = 19.0
_REVERBERANT_S = 0.38


@dataclass(frozen=True)
class SampleFinding:
    """What is not ideal about a sample. `kind` is one word; `sentence` says what to do about it;
    `remedy` is what the studio can do (`DENOISE` and the like), or ""."""

    kind: str
    sentence: str
    remedy: str = ""


def check_sample(speech: Speech) -> tuple[SampleFinding, ...]:
    """What is not ideal about the recording, worst first; often nothing.

    Raises BadInputError where it cannot be used: silence, no speech, less than 2 s of speech.
    """
    level_dbfs = loud_level_dbfs(speech)
    if level_dbfs < SILENT_DBFS:
        raise silent()
    spoken_s = speech_seconds(speech)
    if spoken_s == 0:
        raise no_speech()
    if spoken_s < MIN_SPEECH_S:
        raise too_little_speech(spoken_s)
    return (*_sound_findings(speech, level_dbfs), *_length_findings(spoken_s))


def too_little_speech(spoken_s: float) -> BadInputError:
    """For a recording with less than `MIN_SPEECH_S` of speech."""
    return BadInputError(
        _("The recording holds only {spoken_s:.1f} seconds of speech.", spoken_s=spoken_s),
        _(
            "At least {min_speech_s:g} seconds are needed, {good_speech_s:g} or more are better.",
            min_speech_s=MIN_SPEECH_S,
            good_speech_s=_GOOD_SPEECH_S,
        ),
    )


def _sound_findings(speech: Speech, level_dbfs: float) -> list[SampleFinding]:
    found = []
    noise_db = signal_to_noise_db(speech)
    if echoes(speech):
        # Its pauses are full of the room, which is no noise that could be removed.
        sentence = _(
            "It was recorded in a room that echoes, and the voice will sound so too; "
            "record it nearer to the microphone, or in a room with carpets and "
            "curtains."
        )
        found.append(SampleFinding("reverberation", sentence))
    elif noise_db is not None and noise_db < _NOISY_DB:
        sentence = _(
            "It is noisy: the speech is only {noise_db:.0f} dB above the noise; "
            "remove the noise, or record it in a quieter room.",
            noise_db=noise_db,
        )
        found.append(SampleFinding("noise", sentence, DENOISE))
    if (clipped := clipping_fraction(speech)) > AUDIBLE_CLIPPING:
        sentence = _(
            "It is overdriven ({clipped:.1%} of it is clipped); record it at a lower level.",
            clipped=clipped,
        )
        found.append(SampleFinding("clipping", sentence))
    if level_dbfs < _QUIET_DBFS:
        sentence = _(
            "It is very quiet ({level_dbfs:.0f} dBFS); raise its level, or better "
            "record it at a higher one.",
            level_dbfs=level_dbfs,
        )
        found.append(SampleFinding("level", sentence, LEVEL))
    if (band_hz := bandwidth_hz(speech)) < _TELEPHONE_HZ:
        sentence = _(
            "It sounds like a telephone: nothing above {band_hz:.1f} kHz; a "
            "recording with a better microphone brings more of the voice.",
            band_hz=band_hz / 1000,
        )
        found.append(SampleFinding("bandwidth", sentence))
    elif band_hz < _DULL_HZ:
        sentence = _(
            "It sounds dull: nothing above {band_hz:.1f} kHz; a recording with a "
            "better microphone, or the file before it was compressed, brings more of "
            "the voice.",
            band_hz=band_hz / 1000,
        )
        found.append(SampleFinding("bandwidth", sentence))
    return found


def _length_findings(spoken_s: float) -> list[SampleFinding]:
    if spoken_s < _GOOD_SPEECH_S:
        sentence = _(
            "It holds {spoken_s:.1f} seconds of speech; {good_speech_s:g} or more "
            "give a better likeness.",
            spoken_s=spoken_s,
            good_speech_s=_GOOD_SPEECH_S,
        )
        return [SampleFinding("short", sentence)]
    if spoken_s > _LONG_SPEECH_S:
        sentence = _(
            "It holds {spoken_s:.0f} minutes of speech; half a minute in the voice's "
            "usual tone is enough, and quicker: shorten it.",
            spoken_s=spoken_s / 60,
        )
        return [SampleFinding("long", sentence, SHORTEN)]
    return []


# Reverberation. A voice falls silent faster than most rooms do: where the room is dry, the fastest
# falls of the level are the voice's own; where it echoes, none is faster than the room's decay
# (the idea of Wen, Habets and Naylor, "Blind estimation of reverberation time based on the
# distribution of signal decay rates", 2008).
_DECAY_RATE_HZ = 16_000
_DECAY_WINDOW, _DECAY_HOP = 512, 128
_DECAY_FRAMES = 12  # 96 ms
_DECAY_BANDS_HZ = (250, 400, 630, 1000, 1600, 2500, 4000)
# A fall counts where it begins in a loud moment and ends above the noise.
_BELOW_LOUD_DB, _ABOVE_NOISE_DB, _RANGE_DB = 25.0, 6.0, 50.0
_FASTEST_PERCENT = 10
_FEWEST_FALLS = 8
# Between these percentiles of the levels of 20 ms frames lie 0.5 to 5.6 dB in noise (white, pink,
# babble; 5 to 15 dB), 6.2 dB and more in rooms.
_QUIET_FRAME_S = 0.02
_QUIET_PERCENT = (1, 10)
_FADING_DB = 6.0
_LONGEST_LOOKED_AT_S = 60.0


def echoes(speech: Speech) -> bool:
    """Whether its level falls slowly, and not because it falls to a noise that is always there.

    Noise has one level: the quiet frames of a noisy recording are about equally loud. Those of an
    echo fade away.
    """
    decay_s = fastest_decay_s(speech)
    if decay_s is None or decay_s < _REVERBERANT_S:
        return False
    powers = frame_powers(speech.samples, round(_QUIET_FRAME_S * speech.sample_rate_hz))
    lowest, higher = np.percentile(10 * np.log10(powers), _QUIET_PERCENT)
    return bool(higher - lowest > _FADING_DB)


def fastest_decay_s(speech: Speech) -> float | None:
    """How long its fastest falls of level would need for 60 dB, in seconds; None for too few.

    0.13 to 0.31 s for voices close to the microphone; 0.38 and more where the reverberation time
    is 0.5 s and the room as loud as the voice. Longer times are underestimated. Looks at a minute.
    """
    samples = speech.samples[: round(_LONGEST_LOOKED_AT_S * speech.sample_rate_hz)]
    samples = resample(samples, speech.sample_rate_hz, _DECAY_RATE_HZ)
    if len(samples) < _DECAY_WINDOW + _DECAY_FRAMES * _DECAY_HOP:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(samples, _DECAY_WINDOW)[::_DECAY_HOP]
    window = np.hanning(_DECAY_WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    hertz = np.fft.rfftfreq(_DECAY_WINDOW, 1 / _DECAY_RATE_HZ)
    rates = []
    for low, high in itertools.pairwise(_DECAY_BANDS_HZ):
        band = power[:, (hertz >= low) & (hertz < high)].mean(axis=1)
        falls = _falls_db_per_s(10 * np.log10(band + 1e-12))
        if len(falls) > _FEWEST_FALLS:
            rates.append(float(np.percentile(falls, _FASTEST_PERCENT)))
    return -60.0 / float(np.median(rates)) if rates else None


def _falls_db_per_s(levels_db: FloatArray) -> FloatArray:
    """The slopes of the level in dB per second, negative, over each 96 ms in which it falls."""
    top, floor = np.percentile(levels_db, [95, 3])
    steps = np.arange(_DECAY_FRAMES) - (_DECAY_FRAMES - 1) / 2
    spans = np.lib.stride_tricks.sliding_window_view(levels_db, _DECAY_FRAMES)
    slopes = spans @ steps / np.sum(steps**2) * (_DECAY_RATE_HZ / _DECAY_HOP)
    lowest = max(floor + _ABOVE_NOISE_DB, top - _RANGE_DB)
    counts = (spans[:, 0] > top - _BELOW_LOUD_DB) & (spans[:, -1] > lowest) & (slopes < 0)
    return np.asarray(slopes[counts])
