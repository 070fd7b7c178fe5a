"""Finding speech: with the real network, on speech of which every pause is known."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.audio.resample import resample
from modules.core_components.audio.speech_regions import (
    listening_parts,
    speech_regions,
    speech_seconds,
    split_halves,
    trim_to_speech,
)
from modules.core_components.errors import BadInputError
from modules.core_components.values import Speech
from tests.helpers.espeak import espeak

LONG = (
    "The studio clones a voice from a sample. It reads this sentence aloud, and then another one, "
    "so that there is enough to listen to."
)
SHORT = "Good morning, everybody."


def silence(seconds: float, rate_hz: int) -> np.ndarray:
    return np.zeros(round(seconds * rate_hz), np.float32)


def with_pause(seconds: float) -> Speech:
    spoken = espeak(SHORT)
    pause = silence(seconds, spoken.sample_rate_hz)
    return Speech(np.concatenate([spoken.samples, pause, spoken.samples]), spoken.sample_rate_hz)


def test_two_sentences_with_a_pause_are_two_regions() -> None:
    speech, spoken_s = with_pause(2.0), espeak(SHORT).duration_s
    first, second = speech_regions(speech)
    assert 0 <= first[0] < 0.2
    assert first[1] == pytest.approx(spoken_s, abs=0.4)
    assert second[0] == pytest.approx(spoken_s + 2.0, abs=0.2)
    assert second[1] <= speech.duration_s
    assert speech_seconds(speech) == pytest.approx(2 * spoken_s, abs=0.8)


def test_the_sample_rate_does_not_matter() -> None:
    speech = with_pause(2.0)
    at_48 = Speech(resample(speech.samples, speech.sample_rate_hz, 48_000), 48_000)
    np.testing.assert_allclose(speech_regions(at_48), speech_regions(speech), atol=0.1)


@pytest.mark.parametrize("pause_s", [3.0, 40.0, 120.0])
@pytest.mark.parametrize("noise", [0.0, 1e-5, 1e-3])
def test_speech_after_a_long_silence_is_noticed_at_once(pause_s: float, noise: float) -> None:
    speech, alone = with_pause(pause_s), espeak(SHORT)
    samples = speech.samples + np.random.default_rng(0).normal(
        scale=noise, size=len(speech.samples)
    )
    found = speech_regions(Speech(samples.astype(np.float32), speech.sample_rate_hz))
    onset_s = np.flatnonzero(np.abs(alone.samples) > 0.02)[0] / alone.sample_rate_hz
    starts = [start for start, _ in found if start > alone.duration_s + pause_s / 2]
    assert starts[0] == pytest.approx(alone.duration_s + pause_s + onset_s, abs=0.15)


@pytest.mark.parametrize(
    ("regions", "parts"),
    [
        ([], []),
        ([(0.2, 1.0)], [(0.0, 1.4)]),
        ([(1.0, 2.0), (3.9, 9.8)], [(0.6, 10.0)]),
        ([(1.0, 2.0), (4.0, 5.0)], [(0.6, 2.4), (3.6, 5.4)]),
    ],
)
def test_parts_to_transcribe_join_short_pauses(
    regions: list[tuple[float, float]], parts: list[tuple[float, float]]
) -> None:
    found = listening_parts(regions, 10.0, least_pause_s=2.0, margin_s=0.4)
    assert found == [pytest.approx(part) for part in parts]


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_nobody_speaks_in_silence(seconds: float) -> None:
    assert speech_regions(Speech(silence(seconds, 16_000), 16_000)) == []


def test_trimming_leaves_short_pauses_and_clicks_nowhere() -> None:
    speech = with_pause(2.0)
    trimmed = trim_to_speech(speech)
    assert trimmed.duration_s == pytest.approx(speech_seconds(speech) + 0.2, abs=0.15)
    assert trimmed.sample_rate_hz == speech.sample_rate_hz
    steps = np.abs(np.diff(trimmed.samples))
    assert steps.max() <= np.abs(np.diff(speech.samples)).max() * 1.05
    assert abs(trimmed.samples[0]) < 1e-3
    assert abs(trimmed.samples[-1]) < 1e-3


def test_halves_share_the_speech_and_no_sample_of_it() -> None:
    speech = Speech(np.arange(1, 1 + 22_050 * 12, dtype=np.float32), 22_050)
    regions = [(0.5, 1.5), (2.0, 8.0), (9.0, 11.0)]
    first, second = halves_of(speech, regions)
    assert first.duration_s + second.duration_s == pytest.approx(9.0, abs=0.01)
    assert abs(first.duration_s - second.duration_s) <= 2.0
    assert not whole_numbers(first) & whole_numbers(second)
    assert len(whole_numbers(first) | whole_numbers(second)) > 0.95 * 9 * 22_050


def whole_numbers(speech: Speech) -> set[float]:
    """Where samples count up by one they are untouched by a fade: those are the original's own."""
    samples = speech.samples
    untouched = np.flatnonzero(np.diff(samples) == 1)
    return set(samples[untouched].tolist())


def halves_of(speech: Speech, regions: list[tuple[float, float]]) -> tuple[Speech, Speech]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "modules.core_components.audio.speech_regions.speech_regions", lambda _: regions
        )
        return split_halves(speech)


@pytest.mark.parametrize("region", [(0.2, 2.0), (0.0, 2.99)])
def test_a_single_short_region_is_halved(region: tuple[float, float]) -> None:
    speech = Speech(np.ones(16_000 * 3, np.float32), 16_000)
    first, second = halves_of(speech, [region])
    assert first.duration_s == pytest.approx(second.duration_s, abs=0.001)
    assert first.duration_s == pytest.approx((region[1] - region[0]) / 2, abs=0.001)


def test_halves_of_real_speech_are_alike_in_length() -> None:
    first, second = split_halves(espeak(LONG))
    assert abs(first.duration_s - second.duration_s) <= 2.0
    assert min(first.duration_s, second.duration_s) > 2.0


@pytest.mark.parametrize("work", [trim_to_speech, split_halves])
def test_without_speech_there_is_nothing_to_cut(work) -> None:
    with pytest.raises(BadInputError, match="no speech in this recording"):
        work(Speech(silence(2.0, 16_000), 16_000))
