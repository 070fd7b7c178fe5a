"""A training run: loss curves, figures, log, stopping and resuming it.

The curves are SVG from a template: they are redrawn every 1.5 seconds, for which Gradio's LinePlot
would load 0.7 MB of Vega and start its chart anew each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.jobs.job import FAILED, QUEUED
from modules.core_components.library.training_runs import ALIVE, NEW
from modules.core_components.texts import _, mark
from modules.tools.services import Services
from modules.tools.training.curves import Curves, read_curves
from modules.tools.training.training import TRAIN, resume_training, stop_after_epoch, stop_training
from modules.ui.events import listen, notify
from modules.ui.render import duration_text, empty_html, render, size_text
from modules.ui.tabs.train_xtts.steps import CHECK_STEP, JUDGE_STEP, Steps
from modules.ui.widgets.parts import LOADING, ConfirmedButton, note, panel

POLL_S = 1.5
NO_RUN = mark("No training yet. The first three steps lead to one.")
_KINDS = dict.fromkeys((*ALIVE, "done"), "good") | {"failed": "bad", "interrupted": "warn"}
_STATES = {
    QUEUED: mark("waiting"),
    NEW: mark("not started"),
    "running": mark("running"),
    "saving": mark("stopping: saving its state"),
    "stopped": mark("stopped"),
    "done": mark("done"),
    "failed": mark("failed"),
    "interrupted": mark("interrupted: its state is kept"),
}
_ENDED_EARLY = ("stopped", "failed", "interrupted")
# More points than the drawing has pixels only cost time.
_MOST_POINTS = 400
_MOST_TICKS = 5
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)

Point = tuple[float, float]


class LiveTraining:
    """Follows the run whose name is in `run`; `outputs` and `show` belong together."""

    def __init__(self, services: Services, run: gr.State, steps: Steps) -> None:
        self._services = services
        self._run = run
        self._state = panel(empty_html(_(LOADING)))
        self._curves = panel()
        with gr.Row():
            self._stop = gr.Button(_("Stop now"), variant="stop", size="sm", visible=False)
            self._after = gr.Button(_("Stop after this epoch"), size="sm", visible=False)
            self._resume = gr.Button(_("Resume"), variant="primary", size="sm", visible=False)
        with gr.Row(visible=False) as self._more_group:
            self._more = gr.Number(
                value=5, precision=0, minimum=1, maximum=1000, label=_("More epochs"), min_width=120
            )
            self._continue = gr.Button(_("Continue training"), size="sm", min_width=120)
        with gr.Accordion(_("Log"), open=False):
            self._log = panel()
        with gr.Column(visible=False) as self._removal:
            self._delete = ConfirmedButton(_("Delete training"), _("It moves to the trash."))
        with gr.Row():
            steps.back(CHECK_STEP)
            self._next = gr.Button(_("Next"), variant="primary", interactive=False, min_width=90)
        steps.open_on(self._next.click, JUDGE_STEP)
        note(_("Next opens once there is a checkpoint to listen to."))
        self._timer = gr.Timer(POLL_S, active=False)
        buttons = [self._stop, self._after, self._resume, self._more_group, self._removal]
        self.outputs = [self._state, self._curves, self._log, *buttons, self._next, self._timer]

    def listen(self) -> None:
        run = [self._run]
        listen(self._timer.tick, self.show, run, self.outputs, sequence="training-live")
        listen(self._stop.click, self._stop_now, run, self.outputs)
        listen(self._after.click, self._stop_later, run, self.outputs)
        listen(self._resume.click, self._resume_run, run, self.outputs)
        listen(self._continue.click, self._resume_run, [self._run, self._more], self.outputs)

    def on_deleted(self, work: Any, outputs: list[Any], sequence: str) -> None:
        """Calls `work` once the run shown was moved to the trash."""

        def delete(name: str) -> Any:
            self._services.training_runs.delete(name)
            notify(_("{name} is deleted.", name=name))
            return work("")

        self._delete.on_confirm(delete, [self._run], outputs, sequence)

    def show(self, name: str) -> list[Any]:
        """The run as its event log tells: the same after a reload or a crash."""
        hidden, locked = gr.update(visible=False), gr.update(interactive=False)
        try:
            curves = read_curves(self._services, name)
        except NotFoundError:
            return [empty_html(_(NO_RUN)), "", "", *[hidden] * 5, locked, gr.Timer(active=False)]
        job = self._job(name)
        waits = job is not None and job.state == QUEUED
        runs = curves.state in ALIVE or (job is not None and job.is_active)
        resumable = not runs and curves.state in (*_ENDED_EARLY, NEW)
        points = list(zip(curves.steps, curves.train_losses, strict=True))
        evaluated = list(zip(curves.eval_steps, curves.eval_losses, strict=True))
        return [
            _state_html(name, curves, job if waits or not runs else None),
            loss_curves_html(points, evaluated, curves.steps_total),
            render("log", lines=curves.log),
            gr.update(visible=runs),
            gr.update(visible=runs and not waits),
            gr.update(visible=resumable),
            gr.update(visible=not runs and curves.state == "done"),
            gr.update(visible=not runs),
            gr.update(interactive=bool(curves.checkpoints)),
            gr.Timer(active=runs),
        ]

    def _job(self, name: str) -> Job | None:
        """The last job that trained this run."""
        jobs = self._services.jobs.list(kind=TRAIN)
        return next((job for job in jobs if job.payload.get("run") == name), None)

    def _stop_now(self, name: str) -> list[Any]:
        stop_training(self._services, name)
        notify(_("The training saves its state and stops."))
        return self.show(name)

    def _stop_later(self, name: str) -> list[Any]:
        stop_after_epoch(self._services, name)
        notify(_("The training stops after this epoch."))
        return self.show(name)

    def _resume_run(self, name: str, more_epochs: float = 0) -> list[Any]:
        resume_training(self._services, name, int(more_epochs or 0))
        return self.show(name)


def _state_html(name: str, curves: Curves, job: Job | None) -> Markup:
    """State, progress and figures; after an error also what to do about it."""
    facts = {
        _("Step"): _of(curves.step, curves.steps_total) if curves.steps_total else "",
        _("Epoch"): _of(curves.epoch, curves.epochs) if curves.epoch else "",
        _("Step time"): _("{seconds:.2f} s", seconds=curves.step_s)
        if curves.step_s is not None
        else "",
        _("Time left (approx.)"): _time_left(curves),
        _("Processes"): str(curves.processes) if curves.processes > 1 else "",
        _("GPU memory"): size_text(curves.gpu_bytes) if curves.gpu_bytes else "",
        _("Evaluation loss"): _("{loss:.4f}", loss=curves.eval_losses[-1])
        if curves.eval_losses
        else "",
        _("Checkpoints"): ", ".join(str(kept.step) for kept in curves.checkpoints),
    }
    message, hint = curves.outcome, curves.hint
    if job is not None and job.state == FAILED and curves.state not in ALIVE:
        message, hint = job.error, job.hint
    return render(
        "training_state",
        name=name,
        curves=curves,
        state=_state_words(curves, job),
        kind=_KINDS.get(curves.state, "plain"),
        message=message,
        hint=hint,
        values=facts,
    )


def _state_words(curves: Curves, job: Job | None) -> str:
    state = QUEUED if job is not None and job.state == QUEUED else curves.state
    return _(_STATES.get(state, state))


def _of(count: int, total: int) -> str:
    return _("{count} of {total}", count=count, total=total)


def _time_left(curves: Curves) -> str:
    if curves.state not in ALIVE or curves.eta_s is None:
        return ""
    return duration_text(curves.eta_s)


@dataclass(frozen=True)
class _Frame:
    """From steps and losses to places in the drawing."""

    WIDTH: ClassVar[int] = 960
    HEIGHT: ClassVar[int] = 280
    LEFT: ClassVar[int] = 64
    RIGHT: ClassVar[int] = 14
    TOP: ClassVar[int] = 16
    BOTTOM: ClassVar[int] = 34

    last_step: float
    low: float
    high: float

    def place(self, point: Point) -> Point:
        step, loss = point
        width, height = self.WIDTH - self.LEFT - self.RIGHT, self.HEIGHT - self.TOP - self.BOTTOM
        x = self.LEFT + width * step / self.last_step
        y = self.TOP + height * (self.high - loss) / (self.high - self.low)
        return round(x, 1), round(y, 1)


def loss_curves_html(train: Sequence[Point], evaluation: Sequence[Point], last_step: int) -> Markup:
    """Both curves over the steps of the whole training; "" before the first finite loss."""
    train = [point for point in train if math.isfinite(point[1])]
    evaluation = [point for point in evaluation if math.isfinite(point[1])]
    losses = [loss for _step, loss in (*train, *evaluation)]
    if not losses:
        return Markup()
    ticks = _ticks(min(losses), max(losses))
    last = max([last_step, 1, *(step for step, _loss in (*train, *evaluation))])
    description = _("Loss over {steps:.0f} steps", steps=last)
    if evaluation:
        description = _(
            "Loss over {steps:.0f} steps; latest evaluation loss {loss:.3f}",
            steps=last,
            loss=evaluation[-1][1],
        )
    return render(
        "loss_curves",
        frame=_Frame(last, ticks[0], ticks[-1]),
        ticks=ticks,
        tick_format=f"{{:.{_decimals(ticks[1] - ticks[0])}f}}",
        train=_thin_out(train),
        evaluation=evaluation,
        description=description,
    )


def _thin_out(points: Sequence[Point]) -> list[Point]:
    """At most `_MOST_POINTS`, each the mean of its neighbours, so that no turn is lost."""
    size = -(-len(points) // _MOST_POINTS)
    if size <= 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(loss for _step, loss in group) / len(group)) for group in groups]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose all losses."""
    span = max(high - low, abs(high) * 0.01, 1e-6)
    raw = span / (_MOST_TICKS - 1)
    power = 10 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in _NICE if nice * power >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _decimals(step: float) -> int:
    """How many a tick needs to differ from its neighbour."""
    return next(n for n in range(9) if math.isclose(round(step, n), step, rel_tol=1e-6) or n == 8)
