"""Where long recordings are parted for listening."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.dataset.cutting import joined_regions, listening_windows


def test_a_window_ends_in_the_longest_pause_of_its_second_half() -> None:
    speech = [(0.0, 20.0), (29.0, 60.0), (61.0, 80.0), (83.0, 150.0)]
    assert listening_windows(speech, 150.0, longest_s=100.0) == ((0.0, 81.5), (81.5, 150.0))


def test_one_who_never_pauses_is_parted_all_the_same() -> None:
    windows = listening_windows([(0.0, 250.0)], 250.0, longest_s=100.0)
    assert windows == ((0.0, 100.0), (100.0, 200.0), (200.0, 250.0))


@given(st.lists(st.floats(0.0, 500.0), max_size=30), st.floats(0.1, 500.0))
def test_windows_cover_the_recording(edges: list[float], duration_s: float) -> None:
    edges = sorted(min(edge, duration_s) for edge in edges)
    speech = list(zip(edges[::2], edges[1::2], strict=False))
    windows = listening_windows(speech, duration_s, longest_s=60.0)
    assert (windows[0][0], windows[-1][1]) == (0.0, duration_s)
    assert all(before[1] == after[0] for before, after in pairwise(windows))
    assert all(0 < end - start <= 60.0 + 1e-9 for start, end in windows)


def test_neighbours_are_listened_to_together() -> None:
    regions = [(0.0, 2.0), (2.5, 4.0), (6.0, 7.0), (7.1, 12.0)]
    joined = joined_regions(regions, longest_pause_s=1.0, longest_s=5.0)
    assert joined == ((0.0, 4.0), (6.0, 7.0), (7.1, 12.0))
