from __future__ import annotations

import numpy as np

from modules.core_components.audio.measure import pauses_s
from modules.core_components.audio.waveform import MOST_PEAKS, peaks, waveform
from modules.core_components.values import Speech

RATE_HZ = 1000


def test_peaks_are_those_of_the_loudest_slice() -> None:
    samples = np.concatenate([np.full(100, 0.1), np.full(100, -0.4)]).astype(np.float32)
    assert peaks(samples, 4) == (250, 250, 1000, 1000)
    assert peaks(np.zeros(10, np.float32), 2) == (0, 0)
    assert peaks(np.ones(3, np.float32), 10) == (1000, 1000, 1000)
    assert peaks(np.zeros(0, np.float32), 10) == (0,)


def test_pauses_are_where_nothing_sounds_for_a_while() -> None:
    tone = 0.5 * np.sin(np.arange(RATE_HZ) * 0.7)
    samples = np.concatenate([tone, np.zeros(500), tone, np.zeros(200), tone]).astype(np.float32)
    speech = Speech(samples, RATE_HZ)
    assert pauses_s(speech) == [(1.0, 1.5)]
    assert pauses_s(speech, 0.15) == [(1.0, 1.5), (2.5, 2.7)]
    shape = waveform(speech)
    assert shape.duration_s == 3.7
    assert len(shape.peaks) == 370
    assert shape.pauses_s == ((1.0, 1.5),)
    assert max(shape.peaks[102:148]) == 0


def test_a_long_recording_has_no_more_peaks_than_a_page_can_take() -> None:
    assert len(waveform(Speech(np.zeros(1_300_000, np.float32), RATE_HZ)).peaks) == MOST_PEAKS
