"""The losses of a training as curves: inline SVG in the page's own colours, light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 960, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 16, 34
# More points than the picture has pixels only cost time.
_MOST_POINTS = 400
_MOST_TICKS = 5
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)

Point = tuple[float, float]


@dataclass(frozen=True)
class _Frame:
    """From steps and losses to places in the picture."""

    last_step: float
    low: float
    high: float

    def place(self, point: Point) -> Point:
        step, loss = point
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * step / self.last_step
        y = _TOP + (HEIGHT - _TOP - _BOTTOM) * (self.high - loss) / (self.high - self.low)
        return round(x, 1), round(y, 1)


def loss_curves_svg(train: Sequence[Point], evaluation: Sequence[Point], last_step: int) -> str:
    """Both curves over the steps of the whole training; "" before the first finite loss."""
    train, evaluation = _finite(train), _finite(evaluation)
    losses = [loss for _, loss in (*train, *evaluation)]
    if not losses:
        return ""
    ticks = _ticks(min(losses), max(losses))
    last = max([last_step, 1, *(step for step, _ in (*train, *evaluation))])
    frame = _Frame(last, ticks[0], ticks[-1])
    told = f"Loss over {last:.0f} steps"
    if evaluation:
        told += f"; evaluation now {evaluation[-1][1]:.3f}"
    return (
        f"<svg class='studio-curves' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        f"aria-label='{told}'>{_grid(frame, ticks)}"
        f"{_line(frame, _thinned(train), 'train')}{_line(frame, evaluation, 'eval')}"
        f"{_dots(frame, evaluation)}</svg>"
        "<div class='studio-legend'><span class='train'>training</span>"
        "<span class='eval'>evaluation</span></div>"
    )


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if math.isfinite(point[1])]


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most `_MOST_POINTS`, each the mean of its neighbours, so that no turn is lost."""
    size = -(-len(points) // _MOST_POINTS)
    if size <= 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose all losses."""
    span = max(high - low, abs(high) * 0.01, 1e-6)
    raw = span / (_MOST_TICKS - 1)
    power = 10 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in _NICE if nice * power >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _grid(frame: _Frame, ticks: Sequence[float]) -> str:
    decimals = _decimals(ticks[1] - ticks[0])
    lines = []
    for loss in ticks:
        _, y = frame.place((0, loss))
        lines.append(
            f"<line x1='{_LEFT}' x2='{WIDTH - _RIGHT}' y1='{y}' y2='{y}'/>"
            f"<text x='{_LEFT - 8}' y='{y + 4}' text-anchor='end'>{loss:.{decimals}f}</text>"
        )
    bottom = HEIGHT - 8
    lines.append(f"<text x='{_LEFT}' y='{bottom}'>0</text>")
    lines.append(
        f"<text x='{WIDTH - _RIGHT}' y='{bottom}' text-anchor='end'>{frame.last_step:.0f} steps"
        "</text>"
    )
    return f"<g class='grid'>{''.join(lines)}</g>"


def _decimals(step: float) -> int:
    """How many a tick needs to be told from its neighbour."""
    return next(n for n in range(9) if math.isclose(round(step, n), step, rel_tol=1e-6) or n == 8)


def _line(frame: _Frame, points: Sequence[Point], css: str) -> str:
    places = " ".join(f"{x},{y}" for x, y in map(frame.place, points))
    return f"<polyline class='{css}' points='{places}'/>" if places else ""


def _dots(frame: _Frame, points: Sequence[Point]) -> str:
    return "".join(
        f"<circle class='eval' cx='{x}' cy='{y}' r='3.5'><title>step {step:.0f}: {loss:.4f}"
        "</title></circle>"
        for (step, loss), (x, y) in ((point, frame.place(point)) for point in points)
    )
