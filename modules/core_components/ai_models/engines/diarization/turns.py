"""From the speakers of windows to the turns of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.diarization.frames import (
    FIRST_FRAME_S,
    FRAME_S,
    FRAMES,
    HOP_FRAMES,
)
from modules.core_components.ai_models.engines.diarization.local_voices import joined_runs
from modules.core_components.texts import _
from modules.core_components.values import Turn

# A shorter pause of a speaker does not part a turn, a shorter turn is none.
_LEAST_PAUSE_S, _LEAST_TURN_S = 0.1, 0.15
_LEAST_BETWEEN_S = 0.6


def find_turns(
    active: NDArray[np.bool_], speakers: NDArray[np.int64], duration_s: float
) -> tuple[list[Turn], list[int]]:
    """The turns in order, and the speaker of each as `speakers` numbers them.

    `active` [windows, 589, 6] says when the voices of each window talk, `speakers` [windows, 6]
    whose voices they are. Two windows say something of most frames; the one counts more in whose
    middle a frame is. The turns' speakers are counted from 1 in the order in which they begin.
    """
    count = int(speakers.max(initial=-1)) + 1
    if not count:
        return [], []
    talking = _talking(active, speakers, count)
    found = sorted(
        (start_s, min(end_s, duration_s), speaker)
        for speaker in range(count)
        for start_s, end_s in _stretches(talking[:, speaker])
        if start_s < duration_s
    )
    order: dict[int, int] = {}
    for _start_s, _end_s, speaker in found:
        order.setdefault(speaker, len(order) + 1)
    turns = [Turn(a, b, _("Speaker {number}", number=order[speaker])) for a, b, speaker in found]
    return turns, [speaker for _start_s, _end_s, speaker in found]


def _talking(
    active: NDArray[np.bool_], speakers: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Who talks in each frame of the recording: [frames, speakers]."""
    frames = (len(active) - 1) * HOP_FRAMES + FRAMES
    votes = np.zeros((frames, count), np.float32)
    talkers = np.zeros(frames, np.float32)
    weights = np.zeros(frames, np.float32)
    near = 1.0 + np.minimum(np.arange(FRAMES), np.arange(FRAMES)[::-1]).astype(np.float32)
    for number, (window, local) in enumerate(zip(active, speakers, strict=True)):
        place = slice(number * HOP_FRAMES, number * HOP_FRAMES + FRAMES)
        here = np.zeros((FRAMES, count), np.float32)
        for voice in np.flatnonzero(local >= 0):
            here[:, local[voice]] = np.maximum(here[:, local[voice]], window[:, voice])
        votes[place] += here * near[:, None]
        talkers[place] += here.sum(axis=1) * near
        weights[place] += near
    number_talking = np.rint(talkers / np.maximum(weights, 1e-6)).astype(np.int64)
    ranks = np.argsort(np.argsort(-votes, axis=1, kind="stable"), axis=1, kind="stable")
    return _without_flickers((ranks < number_talking[:, None]) & (votes > 0))


def _without_flickers(talking: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Short stretches of one speaker in the middle of another's, without a pause, are the other's.

    A real interjection overlaps or has pauses around it.
    """
    alone = np.where(talking.sum(axis=1) == 1, talking.argmax(axis=1), -1)
    while True:
        edges = [0, *(np.flatnonzero(np.diff(alone)) + 1).tolist(), len(alone)]
        runs = list(pairwise(edges))
        short = [
            (last - first, first, last)
            for first, last in runs[1:-1]
            if last - first < _LEAST_BETWEEN_S / FRAME_S
            and alone[first] >= 0
            and alone[first - 1] == alone[last] >= 0
        ]
        if not short:
            break
        _length, first, last = min(short)
        alone[first:last] = alone[last]
    settled = talking.copy()
    single = alone >= 0
    settled[single] = np.eye(talking.shape[1], dtype=np.bool_)[alone[single]]
    return settled


def _stretches(talking: NDArray[np.bool_]) -> Iterator[tuple[float, float]]:
    """Where a speaker talks, in seconds, without pauses and turns that are too short."""
    offset_s = FIRST_FRAME_S - FRAME_S / 2
    for first, last in joined_runs(talking, round(_LEAST_PAUSE_S / FRAME_S)):
        if (last - first) * FRAME_S >= _LEAST_TURN_S:
            yield round(offset_s + first * FRAME_S, 3), round(offset_s + last * FRAME_S, 3)


def overlaps(turns: Sequence[Turn]) -> list[tuple[float, float]]:
    """Where two speakers or more talk at once: (start, end) in seconds, in order."""
    changes = sorted(change for turn in turns for change in ((turn.start_s, 1), (turn.end_s, -1)))
    found: list[tuple[float, float]] = []
    talking, began_s = 0, 0.0
    for at_s, step in changes:
        if talking < 2 <= talking + step:
            began_s = at_s
        elif talking >= 2 > talking + step and at_s > began_s:
            if found and found[-1][1] == began_s:
                began_s = found.pop()[0]
            found.append((began_s, at_s))
        talking += step
    return found
