"""The evaluation rows: drawn by content, a fair share, never moved."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.dataset.split import drawn, topped_up
from modules.core_components.dataset.values import Clip, Dataset, Source


def recording(name: str, clips: int) -> Source:
    sha = hashlib.sha256(name.encode()).hexdigest()
    made = tuple(
        Clip(f"{sha[:8]}_{i:04d}", sha[:8], i * 3.0, i * 3.0 + 3, "x", "x", (), "", "Anna")
        for i in range(clips)
    )
    return Source(sha[:8], name, sha, clips * 3.0, drawn(made, sha), ())


def dataset(*sources: Source) -> Dataset:
    return Dataset("d", Path("d"), "en", "Anna", sources)


def eval_ids(made: Dataset) -> set[str]:
    return {clip.id for clip in made.rows if clip.subset == "eval"}


def test_many_short_recordings_give_their_share() -> None:
    made = dataset(*(recording(f"prompt {i}", 1) for i in range(600)))
    assert 60 <= len(eval_ids(made)) <= 120


@given(st.integers(1, 300))
def test_each_recording_gives_its_share(count: int) -> None:
    chosen = len(eval_ids(dataset(recording("long", count))))
    assert abs(chosen - 0.15 * count) < 1


def test_the_draw_does_not_know_the_name() -> None:
    source = recording("long", 40)
    renamed = tuple(replace(clip, id=f"other_{clip.id}") for clip in source.clips)
    again = drawn(renamed, source.audio_sha256)
    assert [clip.subset for clip in again] == [clip.subset for clip in source.clips]


def test_a_small_dataset_gets_four_and_keeps_them() -> None:
    small = dataset(*(recording(f"r{i}", 1) for i in range(9)))
    before = eval_ids(small)
    changed = {source.key: source for source in topped_up(small)}
    full = dataset(*(changed.get(source.key, source) for source in small.sources))
    assert len(eval_ids(full)) >= 4
    assert eval_ids(full) >= before
    assert topped_up(full) == ()
    larger = dataset(*full.sources, recording("new", 30))
    assert eval_ids(larger) >= eval_ids(full)


def test_at_least_half_of_a_tiny_dataset_is_for_training() -> None:
    tiny = dataset(recording("a", 1), recording("b", 2))
    (changed,) = topped_up(tiny) or (tiny.sources[0],)
    assert len(eval_ids(dataset(changed))) <= 1
