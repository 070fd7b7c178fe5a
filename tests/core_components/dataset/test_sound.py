"""Clips at the common loudness, without clipping, in the trainer's format."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from modules.core_components.audio.measure import loudness_lufs, peak
from modules.core_components.dataset.trimming import (
    TARGET_LUFS,
    clip_wav,
    excerpt,
    gain_to_target_db,
)
from modules.core_components.values import Speech

RATE_HZ = 22_050


def tone(level: float, seconds: float = 3.0) -> Speech:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return Speech((level * np.sin(2 * np.pi * 440 * times_s)).astype(np.float32), RATE_HZ)


def read(content: bytes) -> Speech:
    samples, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32")
    return Speech(samples, rate_hz)


@pytest.mark.parametrize("level", [0.01, 0.1, 0.9])
def test_quiet_and_loud_come_out_alike(level: float) -> None:
    clip = tone(level)
    made = read(clip_wav(clip, gain_to_target_db(clip, None)))
    assert loudness_lufs(made) == pytest.approx(TARGET_LUFS, abs=0.1)
    info = soundfile.info(io.BytesIO(clip_wav(clip, 0.0)))
    assert (info.samplerate, info.channels, info.subtype) == (RATE_HZ, 1, "PCM_16")


def test_a_peak_is_never_clipped() -> None:
    clicks = tone(0.005)
    clicks.samples[1000] = 0.5
    gain_db = gain_to_target_db(clicks, None)
    assert peak(read(clip_wav(clicks, gain_db))) <= 10 ** (-1 / 20)
    assert gain_db > 0


def test_a_clip_too_short_to_measure_takes_the_recordings_loudness() -> None:
    clip = tone(0.1, seconds=0.35)
    assert gain_to_target_db(clip, -29.0) == pytest.approx(6.0, abs=0.01)
    assert gain_to_target_db(clip, None) == 0.0
    assert gain_to_target_db(Speech(np.zeros(RATE_HZ, np.float32), RATE_HZ), None) == 0.0


def test_an_excerpt_is_to_the_sample() -> None:
    recording = Speech(np.arange(RATE_HZ, dtype=np.float32), RATE_HZ)
    part = excerpt(recording, 100 / RATE_HZ, 250 / RATE_HZ)
    assert part.samples.tolist() == list(range(100, 250))
