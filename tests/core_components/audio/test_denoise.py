"""Noise removed from a real voice, by the real network."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modules.core_components.audio.denoise import remove_noise
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.resample import resample
from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray, Speech
from tests.conftest import ROOT
from tests.helpers.noise import pink, white, with_noise

SECONDS = 4.0


@pytest.fixture(scope="module")
def voice() -> Speech:
    """A person's recording, 4 s at 48 kHz."""
    recorded = read_speech(ROOT / "docs" / "voice_match" / "allison-1.mp3", 48_000)
    return Speech(recorded.samples[: round(SECONDS * 48_000)], 48_000)


def hum(count: int) -> FloatArray:
    """Mains hum with its harmonics, and a little hiss."""
    times = np.arange(count) / 48_000
    tones = sum(np.sin(2 * math.pi * 50 * k * times) / k for k in range(1, 8))
    return (tones + 0.1 * white(count)).astype(np.float32)


NOISES = {"white": white, "pink": pink, "hum": hum}


def si_sdr_db(estimate: Speech, reference: Speech) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., 2019)."""
    target = reference.samples * (
        np.dot(estimate.samples, reference.samples) / np.dot(reference.samples, reference.samples)
    )
    rest = estimate.samples - target
    return float(10 * np.log10(np.sum(target**2) / np.sum(rest**2)))


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_noise_goes_and_the_voice_stays(voice: Speech, kind: str, snr_db: float) -> None:
    noise = NOISES[kind](len(voice.samples))
    noisy = with_noise(voice, noise, snr_db)
    cleaned = remove_noise(noisy)
    assert len(cleaned.samples) == len(noisy.samples)
    assert si_sdr_db(cleaned, voice) > si_sdr_db(noisy, voice) + 4


def test_a_very_quiet_voice_is_not_taken_for_silence(voice: Speech) -> None:
    quiet = Speech(voice.samples * np.float32(0.01), 48_000)
    noisy = with_noise(quiet, pink(len(voice.samples)), 10.0)
    assert si_sdr_db(remove_noise(noisy), quiet) > si_sdr_db(noisy, quiet) + 4


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_clean_speech_is_left_as_it_is_at_every_rate(voice: Speech, rate_hz: int) -> None:
    clean = Speech(resample(voice.samples, 48_000, rate_hz), rate_hz)
    cleaned = remove_noise(clean)
    assert (cleaned.sample_rate_hz, len(cleaned.samples)) == (rate_hz, len(clean.samples))
    # In time to the sample, or this would be far lower.
    assert si_sdr_db(cleaned, clean) > 15


def test_what_is_no_speech(voice: Speech) -> None:
    silence = Speech(np.zeros(48_000, np.float32), 48_000)
    assert np.abs(remove_noise(silence).samples).max() < 1e-4
    noise = Speech(white(96_000) * np.float32(0.05), 48_000)
    before, after = (float(np.sqrt(np.mean(s.samples**2))) for s in (noise, remove_noise(noise)))
    assert after < before / 3
    assert remove_noise(Speech(np.zeros(0, np.float32), 16_000)).samples.shape == (0,)
    click = remove_noise(Speech(np.ones(10, np.float32), 16_000))
    assert click.samples.shape == (10,)
    assert np.isfinite(click.samples).all()


def test_it_ends_within_a_second_of_audio_once_it_is_cancelled(voice: Speech) -> None:
    cancel = CancelToken()
    reports: list[float] = []

    def progress(fraction: float, message: str) -> None:
        reports.append(fraction)
        if len(reports) == 2:
            cancel.cancel()

    with pytest.raises(JobCancelled):
        remove_noise(voice, progress, cancel)
    assert len(reports) == 2
    assert 0.2 < reports[1] < 0.3
