"""The state and the loss curves of a training, read from its events."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from modules.core_components.library import training_events
from modules.core_components.library.training_events import Event, read_events
from modules.core_components.library.training_runs import KeptCheckpoint, kept_checkpoints
from modules.tools.services import Services

_LOG_LINES = 40
_TYPICAL_STEPS = 50


@dataclass(frozen=True)
class Curves:
    """A training as it is now.

    `train_losses` belong to `steps`, `eval_losses` to `eval_steps`. `step` of `steps_total` are
    done, `epoch` counts from 1. `step_s` is the median of the last steps, `eta_s` what is left by
    it (None before the first step), `gpu_bytes` the most memory taken on the GPU (None without
    one), `processes` how many train together. `notes` say what happened meanwhile, `log` is the end
    of `train.log`; `outcome` and `hint` say how it ended, "" while it has not.
    """

    state: str
    step: int
    steps_total: int
    epoch: int
    epochs: int
    steps: tuple[int, ...]
    train_losses: tuple[float, ...]
    eval_steps: tuple[int, ...]
    eval_losses: tuple[float, ...]
    step_s: float | None
    eta_s: float | None
    gpu_bytes: int | None
    processes: int
    checkpoints: tuple[KeptCheckpoint, ...]
    notes: tuple[str, ...]
    outcome: str
    hint: str
    log: tuple[str, ...]


def read_curves(services: Services, name: str) -> Curves:
    """Raises NotFoundError for a run that does not exist."""
    run = services.training_runs.get(name)
    events = read_events(run.files.progress)
    steps = in_force(events, training_events.STEP)
    evals = in_force(events, training_events.EVAL)
    start = next((e for e in reversed(events) if e["kind"] == training_events.START), {})
    ended = events[-1] if events and events[-1]["kind"] == training_events.END else {}
    step, total = steps[-1]["step"] if steps else 0, start.get("steps_total", 0)
    step_s = median(e["step_s"] for e in steps[-_TYPICAL_STEPS:]) if steps else None
    memory = [e["gpu_bytes"] for e in steps if e.get("gpu_bytes")]
    return Curves(
        state=run.state,
        step=step,
        steps_total=total,
        epoch=steps[-1]["epoch"] if steps else 0,
        epochs=start.get("epochs", run.plan.get("epochs", 0)),
        steps=tuple(e["step"] for e in steps),
        train_losses=tuple(e["loss"] for e in steps),
        eval_steps=tuple(e["step"] for e in evals),
        eval_losses=tuple(e["loss"] for e in evals),
        step_s=step_s,
        eta_s=None if step_s is None else step_s * max(0, total - step),
        gpu_bytes=max(memory, default=None),
        processes=start.get("processes", 1),
        checkpoints=kept_checkpoints(run.folder, events),
        notes=tuple(e["text"] for e in events if e["kind"] == training_events.NOTE),
        outcome=ended.get("text", ""),
        hint=ended.get("hint", ""),
        log=_tail(run.files.log),
    )


def in_force(events: Sequence[Event], kind: str) -> tuple[Event, ...]:
    """The events of a kind in the order of their steps.

    Steps that were repeated (after a crash, or a loss that was not finite) count as they were done
    last.
    """
    by_step: dict[int, Event] = {}
    for event in events:
        if event["kind"] in (training_events.START, training_events.BACK):
            by_step = {s: e for s, e in by_step.items() if s <= event.get("step", 0)}
        elif event["kind"] == kind:
            by_step[event["step"]] = event
    return tuple(by_step[step] for step in sorted(by_step))


def _tail(log_file: Path) -> tuple[str, ...]:
    try:
        with log_file.open(encoding="utf-8", errors="replace") as file:
            return tuple(line.rstrip("\n") for line in deque(file, _LOG_LINES))
    except FileNotFoundError:
        return ()
