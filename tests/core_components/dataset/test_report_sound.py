"""Figures of clips whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.audio.measure import signal_to_noise_db
from modules.core_components.audio.resample import resample
from modules.core_components.dataset.report_clips import TELEPHONE_HZ, measure_sound
from modules.core_components.dataset.values import SAMPLE_RATE_HZ
from modules.core_components.values import FloatArray, Speech
from tests.helpers.small_datasets import babble


def with_noise(samples: FloatArray, wanted_db: float) -> Speech:
    noise = np.random.default_rng(9).normal(size=len(samples))
    scale = np.sqrt((samples**2).mean() / (noise**2).mean() / 10 ** (wanted_db / 10))
    return Speech((samples + scale * noise).astype(np.float32), SAMPLE_RATE_HZ)


@pytest.mark.parametrize("wanted_db", [5.0, 15.0, 30.0, 45.0])
def test_signal_to_noise_is_read_off_the_pauses(wanted_db: float) -> None:
    found = signal_to_noise_db(with_noise(babble(5.0), wanted_db))
    assert found == pytest.approx(wanted_db, abs=1.0)


def test_signal_to_noise_has_its_ends() -> None:
    assert signal_to_noise_db(Speech(babble(3.0), SAMPLE_RATE_HZ)) == 90.0
    assert signal_to_noise_db(Speech(np.zeros(SAMPLE_RATE_HZ, np.float32), SAMPLE_RATE_HZ)) is None
    steady = np.full(SAMPLE_RATE_HZ, 0.1, np.float32)
    assert signal_to_noise_db(Speech(steady, SAMPLE_RATE_HZ)) == 0.0


def test_a_telephone_is_told_from_a_studio() -> None:
    def band(rate_hz: int) -> float:
        sound = np.random.default_rng(1).normal(scale=0.1, size=3 * rate_hz).astype(np.float32)
        at_clip_rate = resample(sound, rate_hz, SAMPLE_RATE_HZ)
        return measure_sound(Speech(at_clip_rate, SAMPLE_RATE_HZ)).bandwidth_hz

    assert band(8_000) < TELEPHONE_HZ
    assert band(16_000) == pytest.approx(8_000, rel=0.05)
    assert band(SAMPLE_RATE_HZ) > 10_000


def test_clipping_shows_after_the_recording_was_made_quieter_and_resampled() -> None:
    times_s = np.arange(3 * 44_100) / 44_100
    tone = 1.8 * np.sin(2 * np.pi * 300 * times_s)
    overdriven = resample(np.clip(tone, -1, 1).astype(np.float32), 44_100, SAMPLE_RATE_HZ)
    gain_db = -9.0
    quieter = Speech((overdriven * 10 ** (gain_db / 20)).astype(np.float32), SAMPLE_RATE_HZ)
    assert measure_sound(quieter, gain_db).clipping > 0.3
    assert measure_sound(quieter).clipping == 0.0
    assert measure_sound(Speech(babble(2.0), SAMPLE_RATE_HZ)).clipping == 0.0


def test_a_moment_of_sound_has_no_loudness_and_does_not_fail() -> None:
    found = measure_sound(Speech(babble(0.3), SAMPLE_RATE_HZ))
    assert found.loudness_lufs is None
    assert found.duration_s == pytest.approx(0.3, abs=0.001)
