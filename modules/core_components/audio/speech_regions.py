"""Voice activity detection by Silero VAD, the network that faster-whisper ships."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from modules.core_components.audio.joining import faded
from modules.core_components.audio.measure import INAUDIBLE
from modules.core_components.audio.refusals import no_speech
from modules.core_components.audio.resample import resample
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray, Speech

Region = tuple[float, float]

_VAD_RATE_HZ = 16_000
_MIN_PAUSE_MS = 200
_MIN_SPEECH_MS = 100
_PADDING_MS = 60
_LONGEST_PIECE_S = 2.0
_FRAME = 512  # samples the network takes at once
_DITHER = 3e-4


# What the network calls between its batches, each of some minutes of sound.
_CHECK: ContextVar[Callable[[], None]] = ContextVar("check", default=lambda: None)


class _CheckedSession:
    """The network's session with that call in front of each run; there is one for all threads."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, *arguments: Any) -> Any:
        _CHECK.get()()
        return self._session.run(*arguments)


def speech_regions(speech: Speech, cancel: CancelToken | None = None) -> list[Region]:
    """The stretches with speech as (start, end) in seconds, in order, not overlapping.

    Pauses under 0.2 s do not part a stretch; each has 0.06 s of padding on both sides. `cancel` is
    looked at every few minutes of the recording (JobCancelled).
    """
    if not len(speech.samples):
        return []
    from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model

    model = get_vad_model()
    if not isinstance(model.session, _CheckedSession):
        model.session = _CheckedSession(model.session)

    options = VadOptions(
        min_silence_duration_ms=_MIN_PAUSE_MS,
        min_speech_duration_ms=_MIN_SPEECH_MS,
        speech_pad_ms=_PADDING_MS,
    )
    samples = _with_dither(resample(speech.samples, speech.sample_rate_hz, _VAD_RATE_HZ))
    token = _CHECK.set(cancel.raise_if_cancelled if cancel is not None else lambda: None)
    try:
        found = get_speech_timestamps(samples, options, sampling_rate=_VAD_RATE_HZ)
    finally:
        _CHECK.reset(token)
    regions = ((item["start"] / _VAD_RATE_HZ, item["end"] / _VAD_RATE_HZ) for item in found)
    return [(start, min(end, speech.duration_s)) for start, end in regions]


def speech_seconds(speech: Speech) -> float:
    """How long somebody speaks in it, pauses left out."""
    return _total_s(speech_regions(speech))


def trim_to_speech(speech: Speech, max_pause_s: float = 0.2) -> Speech:
    """Only the speech: longer pauses are cut down to `max_pause_s`, the ends to half of it.

    Cuts are faded over 5 ms so that they do not click. Raises BadInputError without speech.
    """
    regions = _regions_or_error(speech)
    keep_s = max_pause_s / 2
    widened = [(start - keep_s, end + keep_s) for start, end in regions]
    return _joined(speech, _merged(widened))


def split_halves(speech: Speech) -> tuple[Speech, Speech]:
    """Two recordings of the same speaker with different words, 2 s apart in length at the most.

    Stretches of speech, longer ones in pieces of up to 2 s, go to whichever half is shorter so far.
    Raises BadInputError where there is no speech.
    """
    regions = _regions_or_error(speech)
    pieces = [piece for region in regions for piece in _cut(region, _LONGEST_PIECE_S)]
    if len(pieces) == 1:
        start, end = pieces[0]
        pieces = _cut(pieces[0], (end - start) / 2)
    halves: tuple[list[Region], list[Region]] = ([], [])
    for piece in pieces:
        min(halves, key=_total_s).append(piece)
    return _joined(speech, halves[0]), _joined(speech, halves[1])


def listening_parts(
    regions: Sequence[Region], duration_s: float, least_pause_s: float, margin_s: float
) -> list[Region]:
    """Regions of speech as the parts to transcribe: joined over shorter pauses, with a margin."""
    parts: list[Region] = []
    for start, end in regions:
        if parts and start - parts[-1][1] < least_pause_s:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((start, end))
    margin_s = min(margin_s, least_pause_s / 2)
    return [(max(a - margin_s, 0.0), min(b + margin_s, duration_s)) for a, b in parts]


def _with_dither(samples: FloatArray) -> FloatArray:
    """Faint noise (-70 dBFS, always the same) in place of digital silence.

    After digital silence the network notices speech a third of a second late.
    """
    whole = len(samples) // _FRAME * _FRAME
    frames = samples[:whole].reshape(-1, _FRAME)
    silent = np.abs(frames).max(axis=1, initial=0.0) < INAUDIBLE
    if not silent.any():
        return samples
    dithered = samples.copy()
    noise = np.random.default_rng(0).normal(scale=_DITHER, size=(int(silent.sum()), _FRAME))
    dithered[:whole].reshape(-1, _FRAME)[silent] = noise
    return dithered


def _total_s(regions: Iterable[Region]) -> float:
    return sum(end - start for start, end in regions)


def _regions_or_error(speech: Speech) -> list[Region]:
    regions = speech_regions(speech)
    if not regions:
        raise no_speech()
    return regions


def _cut(region: Region, longest_s: float) -> list[Region]:
    start, end = region
    count = max(1, math.ceil((end - start) / longest_s - 1e-9))
    edges = np.linspace(start, end, count + 1).tolist()
    return list(itertools.pairwise(edges))


def _merged(regions: list[Region]) -> list[Region]:
    merged = [regions[0]]
    for start, end in regions[1:]:
        if start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _joined(speech: Speech, regions: list[Region]) -> Speech:
    rate_hz = speech.sample_rate_hz
    pieces = []
    for start_s, end_s in regions:
        first, last = max(0, round(start_s * rate_hz)), round(end_s * rate_hz)
        pieces.append(faded(speech.samples[first:last], rate_hz))
    return Speech(np.concatenate(pieces), rate_hz)
