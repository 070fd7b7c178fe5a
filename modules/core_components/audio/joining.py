"""Several voices in one recording: one rate, one loudness, pauses as wished, no clicks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modules.core_components.audio.fades import faded
from modules.core_components.audio.measure import loudness_lufs, peak, sounding_span_s
from modules.core_components.audio.resample import resample
from modules.core_components.values import FloatArray, Speech

# Loudness of mono speech in podcasts (AES TD1008 asks for -18 to -20 LUFS).
TARGET_LUFS = -20.0
HIGHEST_PEAK = 10 ** (-1 / 20)
# What a voice breathes before and after its words stays; the rest of the silence is ours.
_EDGE_S = 0.06
# A speaker's loudness is measured on so much of him.
_MEASURED_S = 120.0
_SHORTEST_MEASURED_S = 0.5


@dataclass(frozen=True)
class Part:
    """What one speaker says at once, and the silence before and after it in seconds."""

    speech: Speech
    speaker: str
    before_s: float = 0.0
    after_s: float = 0.0


@dataclass(frozen=True)
class Joined:
    """All parts in one; `spans_s` are each part's (start, end) in it, `offsets_s` where a part
    began before its silent edge was cut off, `gains_db` what was done to each speaker."""

    speech: Speech
    spans_s: tuple[tuple[float, float], ...]
    offsets_s: tuple[float, ...]
    gains_db: Mapping[str, float]


def join_parts(parts: Sequence[Part]) -> Joined:
    """Joins parts at the highest of their rates. Speakers get equally loud, each by one gain for
    all he says, so that his own louder and softer lines stay what they are.

    All are turned down together where one of them would exceed -1 dBFS. Raises ValueError without
    parts.
    """
    rate_hz = max(part.speech.sample_rate_hz for part in parts)
    cut = [_without_edges(part.speech, rate_hz) for part in parts]
    gains_db = _gains_db(parts, [speech for speech, _ in cut])
    pieces: list[FloatArray] = []
    spans_s, offsets_s, done = [], [], 0
    for part, (speech, edge_s) in zip(parts, cut, strict=True):
        before, after = (round(s * rate_hz) for s in (part.before_s, part.after_s))
        start, end = done + before, done + before + len(speech.samples)
        gain = np.float32(10 ** (gains_db[part.speaker] / 20))
        pieces += [_silence(before), faded(speech.samples, rate_hz) * gain, _silence(after)]
        spans_s.append((start / rate_hz, end / rate_hz))
        offsets_s.append(start / rate_hz - edge_s)
        done = end + after
    joined = Speech(np.concatenate(pieces), rate_hz)
    return Joined(joined, tuple(spans_s), tuple(offsets_s), gains_db)


def _without_edges(speech: Speech, rate_hz: int) -> tuple[Speech, float]:
    """The speech at that rate without its silent ends, and the seconds cut off at the start."""
    start_s, end_s = sounding_span_s(speech)
    start_s = max(0.0, start_s - _EDGE_S)
    first, last = (round(s * speech.sample_rate_hz) for s in (start_s, end_s + _EDGE_S))
    samples = resample(speech.samples[first:last], speech.sample_rate_hz, rate_hz)
    return Speech(samples, rate_hz), start_s


def _gains_db(parts: Sequence[Part], cut: Sequence[Speech]) -> dict[str, float]:
    """What each speaker needs to reach the common loudness without clipping; 0 for silence."""
    speakers = tuple(dict.fromkeys(part.speaker for part in parts))
    needed, room = {}, {}
    for speaker in speakers:
        own = [s for part, s in zip(parts, cut, strict=True) if part.speaker == speaker]
        loudness = _loudness_lufs(own)
        if loudness is not None:
            needed[speaker] = TARGET_LUFS - loudness
            highest = max(map(peak, own))
            room[speaker] = 20 * math.log10(HIGHEST_PEAK / highest)
    too_much = max((needed[name] - room[name] for name in needed), default=0.0)
    lower = max(0.0, too_much)
    return {name: round(needed[name] - lower, 3) if name in needed else 0.0 for name in speakers}


def _loudness_lufs(said: Sequence[Speech]) -> float | None:
    pieces, length_s = [], 0.0
    for speech in said:
        pieces.append(speech.samples)
        length_s += speech.duration_s
        if length_s >= _MEASURED_S:
            break
    samples = np.concatenate(pieces)[: round(_MEASURED_S * said[0].sample_rate_hz)]
    if not len(samples):
        return None
    # A word alone is shorter than the meter's block; said several times over it is as loud.
    times = math.ceil(_SHORTEST_MEASURED_S / (len(samples) / said[0].sample_rate_hz))
    return loudness_lufs(Speech(np.tile(samples, max(1, times)), said[0].sample_rate_hz))


def _silence(length: int) -> FloatArray:
    return np.zeros(length, np.float32)
