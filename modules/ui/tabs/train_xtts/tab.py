"""Train XTTS: from a dataset to a fine-tuned model, one step at a time."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.library.training_runs import ALIVE, INTERRUPTED
from modules.core_components.texts import _, mark
from modules.tools.services import Services
from modules.ui.events import listen
from modules.ui.tabs.train_xtts.evaluation import TrainingJudge
from modules.ui.tabs.train_xtts.live import LiveTraining
from modules.ui.tabs.train_xtts.setup import SETUP, TrainingSetup
from modules.ui.tabs.train_xtts.steps import DATASET_STEP, JUDGE_STEP, TRAIN_STEP, Steps
from modules.ui.views import Studio
from modules.ui.widgets.parts import menu, menu_update

NO_RUN = mark("No training yet")
SEQUENCE = "training-run"


class TrainTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services: Services = studio.services
        self._run = gr.State("")
        self._menu = menu(_("Training"))
        self._steps = Steps()
        self._setup = TrainingSetup(self._services, self._steps)
        with self._steps.draw(TRAIN_STEP):
            self._live = LiveTraining(self._services, self._run, self._steps)
        with self._steps.draw(JUDGE_STEP):
            self._judge = TrainingJudge(self._services, self._run)
            with gr.Row():
                self._steps.back(TRAIN_STEP)
        self._listen(studio, tab)
        studio.keep(tab, **self._setup.fields)

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        chosen = self._setup.inputs[1:3]
        studio.on_show(
            tab,
            self._setup.refresh,
            chosen,
            self._setup.outputs,
            unchecked=True,
            sequence=SETUP,
            unlocks=[self._setup.check],
        )
        shown = [self._run, self._menu, *self._live.outputs]
        studio.on_show(tab, self._show, [self._run], shown, sequence=SEQUENCE)
        studio.on_open(self._first_step, [], [self._steps.row])
        self._judge.jobs.find_on_open(studio)
        self._setup.downloads.find_on_open(studio)
        listen(self._menu.input, self._show, [self._menu], shown, sequence=SEQUENCE)
        # Players drawn while they are hidden keep the browser busy: only when their step is opened.
        run = [self._run]
        judging = self._steps.tabs[JUDGE_STEP]
        listen(judging.select, self._judge.show, run, self._judge.outputs, sequence=SEQUENCE)
        listen(self._menu.input, lambda: gr.update(selected=TRAIN_STEP), [], [self._steps.row])
        self._setup.listen()
        self._live.listen()
        self._live.on_deleted(self._show, shown, SEQUENCE)
        self._judge.listen(SEQUENCE)
        started = listen(
            self._setup.started.change, self._show, [self._setup.started], shown, sequence=SEQUENCE
        )
        listen(started.success, lambda: gr.update(selected=TRAIN_STEP), [], [self._steps.row])

    def _show(self, name: str | None) -> list[Any]:
        """A run on all steps; without a name the active one, or else the one started last."""
        runs = self._services.training_runs.list()
        names = [run.name for run in runs]
        running = next((run.name for run in runs if run.state in ALIVE), "")
        chosen = name if name in names else running or next(iter(names), "")
        return [
            chosen,
            menu_update([(run, run) for run in names], chosen, _(NO_RUN)),
            *self._live.show(chosen),
        ]

    def _first_step(self) -> Any:
        """The step that is shown first: Train while a training is active or was interrupted."""
        runs = self._services.training_runs.list()
        waits = any(run.state in (*ALIVE, INTERRUPTED) for run in runs)
        return gr.update(selected=TRAIN_STEP if waits else DATASET_STEP)
