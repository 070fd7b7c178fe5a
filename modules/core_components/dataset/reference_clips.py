"""Which clips of a dataset show its speaker best: the reference of a fine-tuned voice.

The rule; the model card gives the outcome:

1. Clips of the training set of 2 s and more, shorter ones where there are none, undistorted first.
2. The cleanest first: the distance between loud speech and the pauses, in dB. Clips of a studio and
   of a telephone in one dataset differ here, and the reference should be the better one.
3. Of these as many as make `WANTED_S`, never more than `MOST_S`: XTTS listens to 30 s of reference
   at most (max_ref_len of the published config.json), and more than 12 s changes little.
4. In the order of the recording, joined by short pauses to one recording.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from modules.core_components.audio.files import read_speech
from modules.core_components.audio.measure import clipping_fraction, loud_level_dbfs
from modules.core_components.dataset.values import SAMPLE_RATE_HZ, TRAIN, Clip, Dataset
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Speech

SHORTEST_S, WANTED_S, MOST_S = 2.0, 12.0, 30.0
PAUSE_S = 0.25
# Reading these is a matter of seconds; a large dataset has enough good ones among them.
_MOST_READ = 200
_QUIET_PERCENT = 10


@dataclass(frozen=True)
class Reference:
    """The joined recording and the ids of the clips in it."""

    speech: Speech
    clips: tuple[str, ...]


def choose_reference(dataset: Dataset, cancel: CancelToken | None = None) -> Reference:
    """The reference of a dataset, by the rule above. Raises BadInputError without any clip."""
    mine = [clip for clip in dataset.rows if clip.subset == TRAIN and clip.duration_s <= MOST_S]
    longer = [clip for clip in mine if clip.duration_s >= SHORTEST_S]
    candidates = sorted(longer or mine, key=lambda clip: -clip.duration_s)[:_MOST_READ]
    if not candidates:
        raise BadInputError(
            _("The dataset {name!r} has no clips to take a reference from.", name=dataset.name),
            _("Add recordings on the Dataset tab."),
        )
    sounds: dict[str, Speech] = {}
    for clip in candidates:
        if cancel is not None:
            cancel.raise_if_cancelled()
        sounds[clip.id] = read_speech(dataset.wav_of(clip), SAMPLE_RATE_HZ)
    chosen = _cleanest(candidates, sounds)
    return Reference(_joined(sounds[clip.id] for clip in chosen), tuple(c.id for c in chosen))


def _cleanest(candidates: list[Clip], sounds: dict[str, Speech]) -> list[Clip]:
    def order(clip: Clip) -> tuple[bool, float]:
        speech = sounds[clip.id]
        return clipping_fraction(speech) > 0, -_distance_db(speech)

    chosen: list[Clip] = []
    seconds = 0.0
    for clip in sorted(candidates, key=order):
        if seconds >= WANTED_S:
            break
        if not chosen or seconds + clip.duration_s <= MOST_S:
            chosen.append(clip)
            seconds += clip.duration_s + PAUSE_S
    return sorted(chosen, key=lambda clip: (clip.source, clip.start_s))


def _distance_db(speech: Speech) -> float:
    """From the quiet frames (tenth percentile of 20 ms) up to the loud ones."""
    size = max(1, round(0.02 * speech.sample_rate_hz))
    frames = speech.samples[: len(speech.samples) // size * size].reshape(-1, size)
    if not len(frames):
        return 0.0
    power = np.percentile((frames.astype(np.float64) ** 2).mean(axis=1), _QUIET_PERCENT)
    return loud_level_dbfs(speech) - 10 * float(np.log10(max(power, 1e-12)))


def _joined(pieces: Iterable[Speech]) -> Speech:
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    samples: list[FloatArray] = []
    for piece in pieces:
        samples += [piece.samples, pause]
    return Speech(np.concatenate(samples[:-1]), SAMPLE_RATE_HZ)
