"""How many people speak in a dataset, by the speaker embeddings of its clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.core_components.values import FloatArray

# Of GE2E centroids. Measured on 80 prompts each of five Asterisk speakers: the two halves of one
# speaker that k-means tells apart lie at 0.89 to 0.95, two women at 0.74 to 0.80, woman and man
# at 0.62 to 0.70.
SAME_SPEAKER = 0.8
# Fewer clips that stand apart are odd clips, not a person.
FEWEST_CLIPS = 5
# Below it an embedding says more about the words than about the speaker.
SHORTEST_S = 1.0

_SEEDS = 8
_ROUNDS = 15


@dataclass(frozen=True)
class Voices:
    """`similarity` [n] of each clip to the main speaker; `groups` from the largest on, as indices.

    `speakers` counts the groups of at least five clips, one at least.
    """

    similarity: FloatArray
    groups: tuple[NDArray[np.intp], ...]

    @property
    def speakers(self) -> int:
        return max(1, sum(len(group) >= FEWEST_CLIPS for group in self.groups))

    def by_clip(self) -> list[tuple[float, int]]:
        """Similarity and group of each clip; the main speaker's group is 0."""
        group_of = {int(index): number for number, g in enumerate(self.groups) for index in g}
        return [(float(likeness), group_of[i]) for i, likeness in enumerate(self.similarity)]


def tell_voices(embeddings: FloatArray) -> Voices:
    """Groups embeddings float32 [n, 256] of unit length, n at least 1.

    Spherical k-means from eight seeds that lie far apart; then the groups whose centroids are
    alike are joined, so that one speaker's moods do not count as people. Nothing is drawn at
    random.
    """
    groups = _joined(embeddings, _clustered(embeddings, _far_apart(embeddings)))
    groups.sort(key=len, reverse=True)
    main = _centroid(embeddings[groups[0]])
    return Voices((embeddings @ main).astype(np.float32), tuple(groups))


def _far_apart(embeddings: FloatArray) -> FloatArray:
    """The most typical clip, then always the one that is farthest from all seeds so far."""
    chosen = [int((embeddings @ _centroid(embeddings)).argmax())]
    nearest = embeddings @ embeddings[chosen[0]]
    while len(chosen) < min(_SEEDS, len(embeddings)):
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, embeddings @ embeddings[chosen[-1]])
    return embeddings[chosen]


def _clustered(embeddings: FloatArray, seeds: FloatArray) -> list[NDArray[np.intp]]:
    centroids = seeds
    for _ in range(_ROUNDS):
        labels = (embeddings @ centroids.T).argmax(axis=1)
        groups = [np.flatnonzero(labels == label) for label in range(len(centroids))]
        groups = [group for group in groups if len(group)]
        centroids = np.stack([_centroid(embeddings[group]) for group in groups])
    return groups


def _joined(embeddings: FloatArray, groups: list[NDArray[np.intp]]) -> list[NDArray[np.intp]]:
    while len(groups) > 1:
        centroids = np.stack([_centroid(embeddings[group]) for group in groups])
        likeness = centroids @ centroids.T - 2 * np.eye(len(groups))
        first, second = divmod(int(likeness.argmax()), len(groups))
        if likeness[first, second] < SAME_SPEAKER:
            break
        joined = np.concatenate([groups[first], groups[second]])
        groups = [g for i, g in enumerate(groups) if i not in (first, second)] + [joined]
    return groups


def _centroid(embeddings: FloatArray) -> FloatArray:
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-8), dtype=np.float32)
