"""Small plots in the page's own colours, as inline SVG: sharp at any size, by day and by night."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_BARS = 20
_HEIGHT = 56
_GAP = 0.12
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Histogram:
    """What is drawn: bars whose middle lies below `low` or above `high` are marked as doubtful."""

    title: str
    unit: str
    values: Sequence[float]
    low: float = -math.inf
    high: float = math.inf
    decimals: int = 1


def histogram_html(plot: Histogram) -> str:
    """The values as bars with their range and median in words; "" without values."""
    if not plot.values:
        return ""
    start, step, counts = bins(plot.values)
    most = max(counts)
    bars = "".join(
        _bar(plot, start + i * step, step, i, count, most) for i, count in enumerate(counts)
    )
    middle = sorted(plot.values)[len(plot.values) // 2]
    unit = html.escape(plot.unit)
    label = f"{plot.title}: {len(plot.values)} clips, median {middle:.{plot.decimals}f} {plot.unit}"
    ends = [f"{edge:g}" for edge in (start, start + len(counts) * step)]
    return (
        f"<figure class='studio-plot'><figcaption>{html.escape(plot.title)}</figcaption>"
        f"<svg viewBox='0 0 {len(counts)} {_HEIGHT}' preserveAspectRatio='none' role='img' "
        f"aria-label='{html.escape(label, quote=True)}'>{bars}</svg>"
        f"<div><span>{ends[0]}</span><span>median {middle:.{plot.decimals}f}</span>"
        f"<span>{ends[1]} {unit}</span></div></figure>"
    )


def bins(values: Sequence[float]) -> tuple[float, float, list[int]]:
    """Up to about twenty bins of a round width: where they start, the width, and their counts."""
    low, high = min(values), max(values)
    step = _nice_step((high - low) / _BARS)
    start = math.floor(low / step + 1e-9) * step
    count = max(1, math.floor((high - start) / step + 1e-9) + 1)
    counts = [0] * count
    for value in values:
        counts[min(int((value - start) / step + 1e-9), count - 1)] += 1
    return start, step, counts


def _bar(plot: Histogram, left: float, step: float, index: int, count: int, most: int) -> str:
    if not count:
        return ""
    middle = left + step / 2
    css = " class='doubtful'" if middle < plot.low or middle > plot.high else ""
    # Even a single clip is seen.
    height = max(count / most * _HEIGHT, 2.0)
    clips = "1 clip" if count == 1 else f"{count} clips"
    told = f"{left:g} to {left + step:g} {plot.unit}: {clips}"
    return (
        f"<rect x='{index + _GAP / 2}' y='{_HEIGHT - height:.1f}' width='{1 - _GAP}' "
        f"height='{height:.1f}'{css}><title>{html.escape(told)}</title></rect>"
    )


def _nice_step(raw: float) -> float:
    """The next larger of 1, 2, 2.5, 5 times a power of ten; 1 where all values are the same."""
    if raw <= 0:
        return 1.0
    scale: float = 10.0 ** math.floor(math.log10(raw))
    return next(nice * scale for nice in _NICE if nice * scale >= raw * (1 - 1e-9))
