"""A training while it runs, and afterwards: curves, figures, log, ways to stop and to go on."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.jobs.store import FAILED, QUEUED
from modules.core_components.library.training_runs import ALIVE, NEW
from modules.tools.services import Services
from modules.tools.training.curves import Curves, read_curves
from modules.tools.training.training import TRAIN, resume_training, stop_after_epoch, stop_training
from modules.ui.handlers import error_html, listen, tell
from modules.ui.widgets.parts import ConfirmedButton, panel
from modules.ui.widgets.snippets import (
    badge,
    bar_html,
    duration_text,
    empty_html,
    facts_html,
    size_text,
)

# The losses of a training as curves: inline SVG in the page's own colours, light and dark.


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


POLL_S = 1.5
NO_RUN = "No training yet. Prepare one on the first page."
_KINDS = dict.fromkeys((*ALIVE, "done"), "good") | {"failed": "bad", "interrupted": "warn"}
_ENDED_EARLY = ("stopped", "failed", "interrupted")


class LiveTraining:
    """Follows the run whose name is in `run`; `outputs` and `show` belong together."""

    def __init__(self, services: Services, run: gr.State) -> None:
        self._services = services
        self._run = run
        self._head = panel(empty_html(NO_RUN))
        self._curves = panel()
        with gr.Row():
            self._stop = gr.Button("Stop now", variant="stop", size="sm", visible=False)
            self._after = gr.Button("Stop after this epoch", size="sm", visible=False)
            self._resume = gr.Button("Resume", variant="primary", size="sm", visible=False)
        with gr.Row(visible=False) as self._more_group:
            self._more = gr.Number(
                value=5, precision=0, minimum=1, maximum=1000, label="More epochs", min_width=120
            )
            self._train_on = gr.Button("Train on", size="sm", min_width=120)
        with gr.Accordion("Log", open=False):
            self._log = panel()
        with gr.Column(visible=False) as self._removal:
            self._delete = ConfirmedButton(
                "Delete this training", "It moves to the trash of the training folder.", "Delete it"
            )
        self._timer = gr.Timer(POLL_S, active=False)

    @property
    def outputs(self) -> list[Any]:
        buttons = [self._stop, self._after, self._resume, self._more_group, self._removal]
        return [self._head, self._curves, self._log, *buttons, self._timer]

    def listen(self) -> None:
        run = [self._run]
        listen(self._timer.tick, self.show, run, self.outputs, line="training-live")
        listen(self._stop.click, self._stop_now, run, self.outputs)
        listen(self._after.click, self._stop_later, run, self.outputs)
        listen(self._resume.click, self._go_on, run, self.outputs)
        listen(self._train_on.click, self._go_on, [self._run, self._more], self.outputs)

    def on_deleted(self, work: Any, outputs: list[Any]) -> None:
        """Calls `work` once the run on show was moved to the trash."""

        def delete(name: str) -> Any:
            self._services.training_runs.delete(name)
            tell(f"{name} is deleted.")
            return work("")

        self._delete.on_confirm(delete, [self._run], outputs)

    def show(self, name: str) -> list[Any]:
        """The run as it stands, from its diary: the same after a reload or a crash."""
        hidden = gr.update(visible=False)
        try:
            curves = read_curves(self._services, name)
        except NotFoundError:
            return [empty_html(NO_RUN), "", "", *[hidden] * 5, gr.Timer(active=False)]
        job = self._job(name)
        waits = job is not None and job.state == QUEUED
        runs = curves.state in ALIVE or (job is not None and job.is_active)
        resumable = not runs and curves.state in (*_ENDED_EARLY, NEW)
        points = list(zip(curves.steps, curves.train_losses, strict=True))
        evaluated = list(zip(curves.eval_steps, curves.eval_losses, strict=True))
        return [
            _head_html(name, curves, job if waits or not runs else None),
            loss_curves_svg(points, evaluated, curves.steps_total),
            _log_html(curves.log),
            gr.update(visible=runs),
            gr.update(visible=runs and not waits),
            gr.update(visible=resumable),
            gr.update(visible=not runs and curves.state == "done"),
            gr.update(visible=not runs),
            gr.Timer(active=runs),
        ]

    def _job(self, name: str) -> Job | None:
        """The last job that trained this run."""
        jobs = self._services.jobs.list(kind=TRAIN)
        return next((job for job in jobs if job.payload.get("run") == name), None)

    def _stop_now(self, name: str) -> list[Any]:
        stop_training(self._services, name)
        tell("It keeps its state and stops.")
        return self.show(name)

    def _stop_later(self, name: str) -> list[Any]:
        stop_after_epoch(self._services, name)
        tell("It stops when this epoch is done.")
        return self.show(name)

    def _go_on(self, name: str, more_epochs: float = 0) -> list[Any]:
        resume_training(self._services, name, int(more_epochs or 0))
        return self.show(name)


def _head_html(name: str, curves: Curves, job: Job | None) -> str:
    """State, progress and figures; what went wrong with what to do about it."""
    kind = _KINDS.get(curves.state, "plain")
    head = f"<strong>{html.escape(name)}</strong> {badge(_state_words(curves, job), kind)}"
    done = curves.step / curves.steps_total if curves.steps_total else 0.0
    facts = {
        "Step": f"{curves.step} of {curves.steps_total}" if curves.steps_total else "",
        "Epoch": f"{curves.epoch} of {curves.epochs}" if curves.epoch else "",
        "Step time": f"{curves.step_s:.2f} s" if curves.step_s is not None else "",
        "Left, about": _left(curves),
        "GPU memory": size_text(curves.gpu_bytes) if curves.gpu_bytes else "",
        "Evaluation loss": f"{curves.eval_losses[-1]:.4f}" if curves.eval_losses else "",
        "Checkpoints": ", ".join(str(kept.step) for kept in curves.checkpoints),
    }
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in curves.notes[-5:])
    told = ""
    if job is not None and job.state == FAILED and curves.state not in ALIVE:
        told = error_html(job.error, job.hint)
    elif curves.outcome:
        told = error_html(curves.outcome, curves.hint)
    css = "bad" if curves.state == "failed" else "plain"
    return (
        f"<div class='studio-job {css}' aria-live='polite'><div>{head}</div>"
        f"{bar_html(done, 'Steps done')}<div>{told}</div></div>"
        f"{facts_html(facts)}{f'<ul class=studio-notes>{notes}</ul>' if notes else ''}"
    )


def _state_words(curves: Curves, job: Job | None) -> str:
    if job is not None and job.state == QUEUED:
        return "waiting"
    return {
        "new": "not begun",
        "interrupted": "interrupted: what was done is kept",
        "saving": "stopping: its state is being written",
    }.get(curves.state, curves.state)


def _left(curves: Curves) -> str:
    if curves.state not in ALIVE or curves.eta_s is None:
        return ""
    return duration_text(curves.eta_s)


def _log_html(lines: tuple[str, ...]) -> str:
    return f"<pre class='studio-log'>{html.escape(chr(10).join(lines)) or 'Nothing yet.'}</pre>"
