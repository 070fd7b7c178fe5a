"""How many speakers, by embeddings that are drawn around known voices."""

from __future__ import annotations

import numpy as np

from modules.core_components.dataset.report_whole import group_voices
from modules.core_components.values import FloatArray

SAME_GROUP = 0.8


def clips_of(voice: int, count: int, spread: float = 0.6, seed: int = 0) -> FloatArray:
    """Embeddings about a unit vector of its own, their cosine to it about 0.86."""
    random = np.random.default_rng(1000 * voice + seed)
    centre = np.zeros(256)
    centre[voice] = 1.0
    aside = random.normal(size=(count, 256))
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    drawn = centre + spread * aside
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_one_voice_is_one_voice() -> None:
    told = group_voices(clips_of(0, 60), SAME_GROUP)
    assert told.speakers == 1
    assert len(told.groups[0]) >= 55
    assert np.median(told.similarity) > 0.8
    assert group_voices(clips_of(0, 1), SAME_GROUP).speakers == 1


def test_a_minority_is_another_speaker_and_all_its_clips_are_found() -> None:
    told = group_voices(np.concatenate([clips_of(0, 50), clips_of(1, 7)]), SAME_GROUP)
    assert told.speakers == 2
    groups = np.array([group for _, group in told.by_clip()])
    assert (groups[:50] == 0).mean() > 0.95
    assert (groups[50:] != 0).all()
    assert told.similarity[50:].max() < told.similarity[:50].min()


def test_three_people_count_as_three_and_two_odd_clips_as_nobody() -> None:
    three = np.concatenate([clips_of(voice, 20) for voice in range(3)])
    assert group_voices(three, SAME_GROUP).speakers == 3
    odd = np.concatenate([clips_of(0, 40), clips_of(1, 2)])
    told = group_voices(odd, SAME_GROUP)
    assert told.speakers == 1
    assert all(group > 0 for _, group in told.by_clip()[40:])
