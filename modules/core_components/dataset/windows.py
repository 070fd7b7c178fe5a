"""Long recordings in stretches that are listened to one by one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from modules.core_components.dataset.words import Region

LONGEST_WINDOW_S = 600.0
_EARLIEST = 0.5


def listening_windows(
    speech: Sequence[Region], duration_s: float, longest_s: float = LONGEST_WINDOW_S
) -> tuple[Region, ...]:
    """(start, end) in seconds; together they cover the recording.

    A window ends in the middle of the longest pause of its second half, so that no word is cut;
    where nobody pauses, it ends at its full length.
    """
    pauses = [(before[1], after[0]) for before, after in pairwise(speech)]
    windows: list[Region] = []
    start_s = 0.0
    while duration_s - start_s > longest_s:
        earliest_s, latest_s = start_s + longest_s * _EARLIEST, start_s + longest_s
        inside = [
            (pause_end - pause_start, (pause_start + pause_end) / 2)
            for pause_start, pause_end in pauses
            if earliest_s <= (pause_start + pause_end) / 2 <= latest_s
        ]
        end_s = max(inside)[1] if inside else latest_s
        windows.append((start_s, end_s))
        start_s = end_s
    windows.append((start_s, duration_s))
    return tuple(windows)


def joined_regions(
    regions: Sequence[Region], longest_pause_s: float, longest_s: float
) -> tuple[Region, ...]:
    """Neighbours made one where the pause between is short and the whole not too long."""
    joined: list[Region] = []
    for start_s, end_s in regions:
        near = bool(joined) and start_s - joined[-1][1] <= longest_pause_s
        if near and end_s - joined[-1][0] <= longest_s:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return tuple(joined)
