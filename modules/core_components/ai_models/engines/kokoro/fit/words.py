"""The sample's own words as sentences to fit on, laid beside how the speaker said them.

Where it is known what the sample says, Kokoro can say the same; dynamic time warping (Sakoe and
Chiba 1978) on what Whisper understands pairs every moment of the rendering with its moment of the
recording. Nothing compares two voices better than the same sound said by both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.fit.envelope import (
    EnvelopeAim,
    moments,
)
from modules.core_components.ai_models.engines.kokoro.fit.target import SAMPLE_RATE_HZ
from modules.core_components.ai_models.engines.whisper_features import WhisperFeatures
from modules.core_components.values import FloatArray, Segment, Word

# Below this mean probability of its words a phrase is guesswork, often in another language.
_UNSURE = 0.75
_SHORTEST_S, _WANTED_S, _LONGEST_S = 1.2, 2.2, 4.5
_MARKS = (".", "?", "!", ",", ";", ":")
_AROUND_S = 0.08
# Moments that Whisper takes for different sounds are no pair.
_FARTHEST = 0.6


@dataclass(frozen=True, eq=False)
class Phrase:
    """A few words of the sample and how they sounded: 16 kHz [n]."""

    text: str
    samples: Tensor


def phrases(segments: Sequence[Segment], samples: FloatArray) -> Iterator[Phrase]:
    """Stretches of two to four seconds that were understood well, in order."""
    for words in _stretches(segments):
        start_s, end_s = words[0].start_s - _AROUND_S, words[-1].end_s + _AROUND_S
        sure = np.mean([word.probability for word in words]) >= _UNSURE
        if sure and _SHORTEST_S <= end_s - start_s <= _LONGEST_S:
            first, last = max(0, round(start_s * SAMPLE_RATE_HZ)), round(end_s * SAMPLE_RATE_HZ)
            text = "".join(word.text for word in words).strip()
            yield Phrase(text, torch.from_numpy(samples[first:last]))


def aligned_aim(
    features: WhisperFeatures, bands: Tensor, phrase: Phrase, rendering: Tensor
) -> EnvelopeAim:
    """The speaker's own envelope for each frame of the `rendering` [n] of his phrase."""
    with torch.no_grad():
        ours = moments(features, rendering, bands)
        theirs = moments(features, phrase.samples, bands)
        distance = 1 - ours.content @ theirs.content.T
        path = warping_path(distance.double().numpy())
        envelope = torch.zeros_like(ours.envelopes)
        closeness, count = torch.zeros(len(envelope)), torch.zeros(len(envelope))
        for mine, his in path:
            envelope[mine] += theirs.envelopes[his]
            usable = theirs.speech[his] and distance[mine, his] < _FARTHEST
            closeness[mine] += float(1 - distance[mine, his]) if usable else 0.0
            count[mine] += 1
        weight = ours.speech * closeness / count
        return EnvelopeAim(envelope / count[:, None], weight / weight.sum().clamp_min(1e-6))


def warping_path(distance: np.ndarray) -> list[tuple[int, int]]:
    """The cheapest way through [rows, columns] from corner to corner, every row and column met."""
    rows, columns = distance.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for i in range(rows):
        for j in range(columns):
            before = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = distance[i, j] + before
    path = [(rows - 1, columns - 1)]
    while path[-1] != (0, 0):
        i, j = path[-1]
        steps = (
            (total[i, j], i - 1, j - 1),
            (total[i, j + 1], i - 1, j),
            (total[i + 1, j], i, j - 1),
        )
        _, i, j = min(steps)
        path.append((i, j))
    return path[::-1]


def _stretches(segments: Sequence[Segment]) -> Iterator[list[Word]]:
    stretch: list[Word] = []
    for segment in segments:
        for word in segment.words:
            stretch.append(word)
            length_s = word.end_s - stretch[0].start_s
            marked = word.text.endswith(_MARKS)
            if (marked and length_s >= _SHORTEST_S) or length_s >= _WANTED_S:
                yield stretch
                stretch = []
        if stretch:
            yield stretch
            stretch = []
