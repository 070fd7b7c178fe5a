"""Voices of different rates and levels in one recording."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.audio.joining import TARGET_LUFS, Part, join_parts
from modules.core_components.audio.measure import loudness_lufs, peak, sounding_span_s
from modules.core_components.values import Speech


def tone(
    level: float,
    seconds: float = 2.0,
    rate_hz: int = 24_000,
    edge_s: float = 0.0,
    hz: float = 300.0,
) -> Speech:
    """A tone between two silences of `edge_s`."""
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    edge = np.zeros(round(edge_s * rate_hz))
    samples = np.concatenate([edge, level * np.sin(2 * np.pi * hz * times_s), edge])
    return Speech(samples.astype(np.float32), rate_hz)


def part_of(joined: Speech, span_s: tuple[float, float]) -> Speech:
    first, last = (round(s * joined.sample_rate_hz) for s in span_s)
    return Speech(joined.samples[first:last], joined.sample_rate_hz)


def test_speakers_get_one_rate_one_loudness_and_the_wished_pauses() -> None:
    quiet = Part(tone(0.02, rate_hz=16_000, edge_s=0.5), "Anna")
    loud = Part(tone(0.6), "Ben", before_s=0.75)
    short = Part(tone(0.3, seconds=0.2), "Carl", before_s=0.5, after_s=0.25)
    joined = join_parts([quiet, loud, short])
    assert joined.speech.sample_rate_hz == 24_000
    levels = [loudness_lufs(part_of(joined.speech, span)) for span in joined.spans_s[:2]]
    assert levels == pytest.approx([TARGET_LUFS, TARGET_LUFS], abs=0.3)
    first, second, third = joined.spans_s
    assert first == pytest.approx((0.0, 2.12), abs=0.03)  # half a second became 0.06
    assert second[0] - first[1] == pytest.approx(0.75)
    assert third[0] - second[1] == pytest.approx(0.5)
    assert joined.speech.duration_s - third[1] == pytest.approx(0.25)
    assert joined.offsets_s[0] == pytest.approx(-0.44, abs=0.021)
    assert set(joined.gains_db) == {"Anna", "Ben", "Carl"}


def test_nothing_clicks_where_parts_meet() -> None:
    parts = [Part(tone(0.3), "Anna"), Part(tone(0.3, hz=411.0), "Ben")]
    samples = join_parts(parts).speech.samples
    steepest = 0.3 * 2 * np.pi * 411 / 24_000
    assert float(np.abs(np.diff(samples)).max()) < steepest
    assert samples[0] == samples[-1] == 0


def test_a_speaker_keeps_his_louder_and_softer_lines() -> None:
    parts = [Part(tone(level), "Anna") for level in (0.1, 0.2)]
    joined = join_parts(parts)
    soft, loud = (peak(part_of(joined.speech, span)) for span in joined.spans_s)
    assert loud / soft == pytest.approx(2.0, rel=0.01)


def test_all_are_turned_down_together_rather_than_clipped() -> None:
    spiky = tone(0.02)
    spiky.samples[24_000] = 1.0
    joined = join_parts([Part(spiky, "Anna"), Part(tone(0.2), "Ben")])
    assert peak(joined.speech) <= 0.9
    anna, ben = (loudness_lufs(part_of(joined.speech, span)) for span in joined.spans_s)
    assert anna == pytest.approx(ben, abs=0.5)


def test_silence_is_joined_as_it_is() -> None:
    joined = join_parts([Part(Speech(np.zeros(8000, np.float32), 16_000), "Anna", 0.5, 0.5)])
    assert not joined.speech.samples.any()
    assert joined.gains_db == {"Anna": 0.0}


def test_where_it_sounds_is_known() -> None:
    start_s, end_s = sounding_span_s(tone(0.2, seconds=1.0, edge_s=0.4))
    assert (start_s, end_s) == pytest.approx((0.4, 1.4), abs=0.021)
    assert sounding_span_s(Speech(np.zeros(0, np.float32), 8_000)) == (0.0, 0.0)
