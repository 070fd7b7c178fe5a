"""Which of the voices heard in single windows are the same speaker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.diarization.local_voices import LocalVoices
from modules.core_components.values import FloatArray

# A voice that talks alone for this long forms clusters; the others are given to the nearest one.
_LEAST_CLEAN_S = 1.5
# Clusters whose mean cosine is this or more are one speaker's; chosen on the tuning mixtures of
# bench/diarization.py.
SAME_SPEAKER = 0.5
# Less speech than this, or than this share of all, makes no speaker of its own.
_LEAST_SPEAKER_S, _LEAST_SHARE = 3.0, 0.01
# More voices than this are not compared each with each: the memory grows with the square.
_MOST_COMPARED = 3000


@dataclass(frozen=True)
class SpeakerCount:
    """How many speakers there are, from and to; the same number twice where it is known."""

    least: int = 1
    most: int = 1_000


def assign_speakers(
    voices: LocalVoices, count: SpeakerCount
) -> tuple[NDArray[np.int64], FloatArray]:
    """The speaker of each local voice [windows, 6], -1 for none, and the speakers' mean
    embeddings [speakers, 192], of unit length."""
    heard = np.abs(voices.embeddings).max(axis=-1, initial=0.0) > 0
    speakers = np.full(heard.shape, -1, np.int64)
    if not heard.any():
        return speakers, np.zeros((0, voices.embeddings.shape[-1]), np.float32)
    flat = voices.embeddings[heard]
    clean_s = voices.clean_s[heard]
    forming = _forming(clean_s, count.least)
    labels = _cluster(flat[forming], clean_s[forming], count)
    means = _means(flat[forming], clean_s[forming], labels)
    for window in range(len(heard)):
        local = np.flatnonzero(heard[window])
        if len(local):
            similarity = voices.embeddings[window, local] @ means.T
            speakers[window, local] = _match(similarity, voices.active[window][:, local])
    return speakers, means


def _forming(clean_s: FloatArray, least: int) -> NDArray[np.int64]:
    """The voices that form clusters: those that talk long enough, evenly thinned out if many."""
    for needed_s in (_LEAST_CLEAN_S, _LEAST_CLEAN_S / 2, 0.0):
        chosen = np.flatnonzero(clean_s >= needed_s)
        if len(chosen) >= max(least, 1):
            break
    if len(chosen) > _MOST_COMPARED:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST_COMPARED).astype(np.int64)]
    return chosen


def _cluster(embeddings: FloatArray, clean_s: FloatArray, count: SpeakerCount) -> NDArray[np.int64]:
    """Labels from 0, by average linkage; clusters with too little speech join the nearest."""
    if len(embeddings) < 2:
        return np.zeros(len(embeddings), np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    tree = linkage(pdist(embeddings, "cosine"), "average")
    least_s = min(_LEAST_SPEAKER_S, _LEAST_SHARE * float(clean_s.sum()) + 0.5)

    def cut(distance: float) -> NDArray[np.int64]:
        labels = fcluster(tree, distance, "distance").astype(np.int64) - 1
        return _without_small(labels, embeddings, clean_s, least_s)

    labels = cut(1.0 - SAME_SPEAKER)
    found = len(np.unique(labels))
    wanted = min(max(found, count.least), count.most)
    if found == wanted:
        return labels
    # From the coarsest cut to the finest: the number of speakers nearest to what is wanted.
    cuts = (cut(float(distance)) for distance in (tree[::-1, 2] - 1e-9))
    best = labels
    for labels in cuts:
        number = len(np.unique(labels))
        if abs(number - wanted) < abs(len(np.unique(best)) - wanted):
            best = labels
        if number == wanted:
            break
    return best


def _without_small(
    labels: NDArray[np.int64], embeddings: FloatArray, clean_s: FloatArray, least_s: float
) -> NDArray[np.int64]:
    """Labels counted anew from 0, where each cluster has `least_s` of speech; the largest stays."""
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    seconds = np.bincount(labels, clean_s)
    large = np.flatnonzero(seconds >= min(least_s, float(seconds.max())))
    means = _means(embeddings, clean_s, labels)
    nearest = large[np.argmax(means @ means[large].T, axis=1)]
    nearest[large] = large
    return np.unique(nearest[labels], return_inverse=True)[1].astype(np.int64)


def _means(embeddings: FloatArray, clean_s: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """The mean embedding of each label, weighted by the seconds, of unit length."""
    weights = np.zeros((int(labels.max()) + 1, len(labels)), np.float32)
    weights[labels, np.arange(len(labels))] = clean_s + 1e-3
    means = weights @ embeddings
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def _match(similarity: FloatArray, active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The nearest speaker for each voice of a window, of [voices, speakers]; of two voices in
    `active` [frames, voices] that talk at once, the less certain one gets another speaker."""
    order = np.argsort(-similarity, axis=1)
    chosen = order[:, 0].copy()
    if similarity.shape[1] < 2:
        return chosen.astype(np.int64)
    rows = np.arange(len(similarity))
    margin = similarity[rows, order[:, 0]] - similarity[rows, order[:, 1]]
    together = active.T.astype(np.int32) @ active.astype(np.int32)
    for one, other in zip(*np.nonzero(np.triu(together, 1)), strict=True):
        if chosen[one] == chosen[other]:
            unsure = one if margin[one] < margin[other] else other
            chosen[unsure] = order[unsure, 1]
    return chosen.astype(np.int64)
