"""The sound of a clip: cut out, brought to the common loudness, as a wav file."""

from __future__ import annotations

import math
from dataclasses import replace

from modules.core_components.audio.encode import encode_speech
from modules.core_components.audio.measure import loudness_lufs, peak
from modules.core_components.dataset.values import SAMPLE_RATE_HZ
from modules.core_components.values import Speech

# EBU R 128's programme loudness; speech at it leaves room for its peaks.
TARGET_LUFS = -23.0
_HIGHEST_PEAK = 10 ** (-1 / 20)  # -1 dBFS
# Silence must not become noise.
_MOST_GAIN_DB = 30.0


def excerpt(recording: Speech, start_s: float, end_s: float) -> Speech:
    """The samples between two times that lie on whole samples."""
    first, last = (round(at_s * recording.sample_rate_hz) for at_s in (start_s, end_s))
    return replace(recording, samples=recording.samples[first:last], words=())


def gain_to_target_db(clip: Speech, loudness_of_recording: float | None) -> float:
    """What brings a clip to -23 LUFS without a peak above -1 dBFS, rounded to 0.01 dB.

    A clip too short for its own loudness (BS.1770 needs 0.4 s) takes the recording's.
    """
    loudness = loudness_lufs(clip)
    if loudness is None:
        loudness = loudness_of_recording
    loudest = peak(clip)
    if loudness is None or loudest == 0:
        return 0.0
    headroom_db = 20 * math.log10(_HIGHEST_PEAK / loudest)
    # Rounded down, so that the peak stays where it may be.
    return math.floor(min(TARGET_LUFS - loudness, headroom_db, _MOST_GAIN_DB) * 100) / 100


def clip_wav(clip: Speech, gain_db: float) -> bytes:
    """A wav file, mono, 22,050 Hz, 16 bit."""
    if clip.sample_rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"clips are cut at {SAMPLE_RATE_HZ} Hz, not {clip.sample_rate_hz}")
    return encode_speech(Speech(clip.samples * 10 ** (gain_db / 20), SAMPLE_RATE_HZ), "wav")
