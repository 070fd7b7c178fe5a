"""Piece by piece gives what the whole gives."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.audio.resample import StreamResampler, resample


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(24_000, 16_000), (16_000, 48_000), (44_100, 24_000)]
)
def test_pieces_equal_the_whole(from_hz: int, to_hz: int) -> None:
    samples = np.random.default_rng(0).normal(size=30_001).astype(np.float32)
    stream = StreamResampler(to_hz)
    pieces = [stream.feed(samples[i : i + 997], from_hz) for i in range(0, len(samples), 997)]
    joined = np.concatenate([*pieces, stream.finish()])
    whole = resample(samples, from_hz, to_hz)
    assert len(whole) == round(len(samples) * to_hz / from_hz)
    np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_the_same_rate_changes_nothing() -> None:
    samples = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert resample(samples, 16_000, 16_000) is samples
    stream = StreamResampler(None)
    assert stream.feed(samples, 16_000) is samples
    assert stream.to_hz == 16_000
    assert len(stream.finish()) == 0


def test_what_is_above_the_new_band_does_not_come_back_as_another_tone() -> None:
    time = np.arange(48_000) / 48_000
    too_high = np.sin(2 * np.pi * 15_000 * time).astype(np.float32)
    assert np.abs(resample(too_high, 48_000, 16_000)[100:-100]).max() < 1e-4
