"""Joining speech: chunks of one voice, and several voices: one rate and loudness, no clicks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.core_components.audio.measure import headroom_db, loudness_lufs, sounding_span_s
from modules.core_components.audio.resample import resample
from modules.core_components.values import FloatArray, Speech

FADE_S = 0.005


def faded(samples: FloatArray, rate_hz: int) -> FloatArray:
    """A copy of float32 [n] that rises from 0 and falls to it within 5 ms at either end."""
    size = min(round(FADE_S * rate_hz), len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, size, endpoint=False, dtype=np.float32)
    shape = np.ones(len(samples), dtype=np.float32)
    shape[:size] = ramp
    shape[len(samples) - size :] = ramp[::-1]
    return np.asarray(samples * shape, dtype=np.float32)


# Loudness of mono speech in podcasts (AES TD1008 asks for -18 to -20 LUFS).
TARGET_LUFS = -20.0
# What a voice breathes before and after its words stays; the rest of the silence is ours.
_EDGE_S = 0.06
# So much of a speaker is measured for their loudness.
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
    all they say, so that their own louder and softer lines stay what they are.

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
            room[speaker] = min(map(headroom_db, own))
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


_WINDOW_S = 0.02
_SILENCE_BELOW_PEAK = 10 ** (-40 / 20)
# A difference of more than 4 dB is meant: somebody whispers, or shouts.
_MOST = 10 ** (4 / 20)


class LevelMatcher:
    """The first piece sets the level; each later one is turned up or down as a whole to meet it.

    How loud a piece is shows in its first chunk, so that one should be a second or two long.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._window = int(_WINDOW_S * sample_rate_hz)
        self._first = True
        self._heard: list[FloatArray] = []
        self._gain: float | None = 1.0

    def feed(self, samples: FloatArray) -> FloatArray:
        """The next chunk of a piece, float32 [n] within -1..1, at the level of the first piece."""
        if self._first:
            self._heard.append(self._voiced_power(samples))
            return samples
        if self._gain is None:
            power = self._voiced_power(samples)
            if not len(power):
                return samples
            target = np.concatenate(self._heard)
            change = float(np.sqrt(target.mean() / power.mean())) if len(target) else 1.0
            self._gain = min(max(change, 1 / _MOST), _MOST)
        turned: FloatArray = np.clip(samples * np.float32(self._gain), -1.0, 1.0)
        return turned

    def end_piece(self) -> None:
        """The next chunk belongs to another piece."""
        self._first = False
        self._gain = None

    def _voiced_power(self, samples: FloatArray) -> FloatArray:
        """The mean squares of the windows that are not silent."""
        whole = len(samples) // self._window * self._window
        power = np.square(samples[:whole]).reshape(-1, self._window).mean(axis=1)
        loud: FloatArray = power[power > power.max(initial=0.0) * _SILENCE_BELOW_PEAK**2]
        return loud


# Cloning models begin and end a chunk with anything between nothing and a second of near silence;
# joined chunks get the pause that the text asks for.

SENTENCE_PAUSE_S = 0.35
PARAGRAPH_PAUSE_S = 0.7

# Silence that stays around what is voiced: breath and decay belong to the voice.
_KEPT_BEFORE_S = 0.05
_KEPT_AFTER_S = 0.15
_FADE_S = 0.004
_PIECE_JOINER_WINDOW_S = 0.005
_PIECE_JOINER_SILENCE_BELOW_PEAK = 10 ** (-40 / 20)
_SILENCE = 10 ** (-50 / 20)  # whatever the peak so far


class PieceJoiner:
    """Takes the chunks of one piece after the other and gives what can be played already.

    Silence is held back until it is known whether anything follows it. `speed` shortens pauses.
    """

    def __init__(self, sample_rate_hz: int, speed: float = 1.0) -> None:
        self._window = int(_PIECE_JOINER_WINDOW_S * sample_rate_hz)
        self._kept_before = int(_KEPT_BEFORE_S * sample_rate_hz)
        self._kept_after = int(_KEPT_AFTER_S * sample_rate_hz)
        self._fade = int(_FADE_S * sample_rate_hz)
        self._pause_rate = sample_rate_hz / speed
        self._begin()

    def _begin(self) -> None:
        self._held = np.zeros(0, np.float32)
        self._peak = 0.0
        self._voiced = False

    def feed(self, samples: FloatArray) -> FloatArray:
        """The next chunk of the piece in, what is certain to be heard out; float32 [n] both."""
        self._held = np.concatenate([self._held, samples])
        # The last samples wait in any case: they may have to be faded out.
        end = self._end_of_sound() - self._fade
        if end <= 0:
            return np.zeros(0, np.float32)
        start = 0
        if not self._voiced:
            start = min(end, max(0, self._start_of_sound() - self._kept_before))
        ready, self._held = self._held[start:end].copy(), self._held[end:]
        if not self._voiced:
            self._voiced = True
            ready = _faded_in(ready, self._fade)
        return ready

    def end_piece(self, pause_s: float) -> FloatArray:
        """What remains of the piece, faded out, and the pause after it (0: the speech ends)."""
        tail = _faded_in(self._held[: self._kept_after].copy()[::-1], self._fade)[::-1]
        spoken = self._voiced
        self._begin()
        if not spoken:
            return np.zeros(0, np.float32)
        silent = max(0, int(pause_s * self._pause_rate) - len(tail) - self._kept_before)
        return np.concatenate([tail, np.zeros(silent if pause_s else 0, np.float32)])

    def _end_of_sound(self) -> int:
        """Just behind the last window of the held samples that is not silent; 0: all are."""
        self._peak = max(self._peak, float(self._peaks(self._held).max(initial=0.0)))
        loud = self._loud_windows(self._held)
        return (int(loud[-1]) + 1) * self._window if len(loud) else 0

    def _start_of_sound(self) -> int:
        loud = self._loud_windows(self._held)
        return int(loud[0]) * self._window

    def _loud_windows(self, samples: FloatArray) -> NDArray[np.int64]:
        return np.flatnonzero(
            self._peaks(samples) > max(self._peak * _PIECE_JOINER_SILENCE_BELOW_PEAK, _SILENCE)
        )

    def _peaks(self, samples: FloatArray) -> FloatArray:
        whole = len(samples) // self._window * self._window
        return np.abs(samples[:whole]).reshape(-1, self._window).max(axis=1, initial=0.0)


def _faded_in(samples: FloatArray, fade: int) -> FloatArray:
    fade = min(fade, len(samples))
    samples[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)
    return samples
