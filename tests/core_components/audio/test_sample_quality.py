"""Whether a recording is good enough to clone from: what is refused, and what could be better."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.audio.files import read_speech
from modules.core_components.audio.resample import resample
from modules.core_components.audio.sample_quality import SampleFinding, check_sample
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Speech
from tests.conftest import ROOT
from tests.helpers.espeak import espeak
from tests.helpers.noise import in_room, pink, with_noise

SPOKEN = (
    "The studio clones a voice from a sample. It reads this sentence aloud, and then another one, "
    "so that there is enough to listen to."
)


def silence(seconds: float, rate_hz: int) -> FloatArray:
    return np.zeros(round(seconds * rate_hz), np.float32)


def repeated(times: int) -> Speech:
    spoken = espeak(SPOKEN)
    return Speech(np.tile(spoken.samples, times) * np.float32(0.8), spoken.sample_rate_hz)


def low_passed(speech: Speech, highest_hz: int) -> Speech:
    rate_hz = speech.sample_rate_hz
    narrow = resample(speech.samples, rate_hz, 2 * highest_hz)
    return Speech(resample(narrow, 2 * highest_hz, rate_hz), rate_hz)


@pytest.fixture(scope="module")
def voice() -> Speech:
    """A person's recording, four times, at 16 kHz: 14 s."""
    recorded = read_speech(ROOT / "docs" / "voice_match" / "carlo-1.mp3", 16_000)
    return Speech(np.tile(recorded.samples, 4), 16_000)


def the_finding(speech: Speech) -> SampleFinding:
    (finding,) = check_sample(speech)
    return finding


def test_silence_is_refused() -> None:
    with pytest.raises(BadInputError, match="silent"):
        check_sample(Speech(silence(5.0, 16_000), 16_000))


def test_noise_without_speech_is_refused() -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=80_000).astype(np.float32)
    with pytest.raises(BadInputError, match="no speech in this recording"):
        check_sample(Speech(noise, 16_000))


def test_half_a_second_of_speech_is_refused_with_both_figures() -> None:
    spoken = espeak(SPOKEN)
    brief = spoken.samples[: round(0.6 * spoken.sample_rate_hz)]
    padded = np.concatenate([brief, silence(5.0, spoken.sample_rate_hz)])
    with pytest.raises(BadInputError, match=r"only 0\.\d seconds of speech.*At least 2 seconds"):
        check_sample(Speech(padded, spoken.sample_rate_hz))


def test_a_good_sample_has_no_findings(voice: Speech) -> None:
    assert check_sample(repeated(2)) == ()
    assert check_sample(voice) == ()


@pytest.mark.parametrize("clip", ["allison-1", "june-2", "libri-0"])
def test_of_a_clean_clip_only_its_length_is_said(clip: str) -> None:
    recorded = read_speech(ROOT / "docs" / "voice_match" / f"{clip}.mp3")
    assert {finding.kind for finding in check_sample(recorded)} <= {"short"}


def test_noise_is_found_and_can_be_removed(voice: Speech) -> None:
    noisy = with_noise(voice, pink(len(voice.samples)), 12.0)
    finding = the_finding(Speech(noisy.samples * np.float32(0.5), 16_000))
    assert (finding.kind, finding.remedy) == ("noise", "denoise")
    assert "only 15 dB above the noise" in finding.sentence  # the pauses are short


@pytest.mark.parametrize("decay_s", [0.6, 1.2])
def test_an_echoing_room_is_found(voice: Speech, decay_s: float) -> None:
    finding = the_finding(in_room(voice, decay_s))
    assert (finding.kind, finding.remedy) == ("reverberation", "")


def test_a_dry_room_is_not(voice: Speech) -> None:
    assert check_sample(in_room(voice, 0.2, direct_db=6.0)) == ()


def test_bandwidth_is_found_in_two_degrees(voice: Speech) -> None:
    assert "telephone: nothing above 3.3 kHz" in the_finding(low_passed(voice, 3_400)).sentence
    assert "dull: nothing above 5.3 kHz" in the_finding(low_passed(voice, 5_500)).sentence


def test_level_clipping_and_length_are_found(voice: Speech) -> None:
    overdriven = the_finding(Speech(np.clip(voice.samples * 8, -1, 1), 16_000))
    assert (overdriven.kind, overdriven.remedy) == ("clipping", "")
    quiet = the_finding(Speech(voice.samples * np.float32(0.02), 16_000))
    assert (quiet.kind, quiet.remedy) == ("level", "level")
    short = the_finding(Speech(voice.samples[: 5 * 16_000], 16_000))
    assert (short.kind, "better likeness" in short.sentence) == ("short", True)
    long = the_finding(Speech(np.tile(voice.samples, 10), 16_000))
    assert (long.kind, long.remedy) == ("long", "shorten")
