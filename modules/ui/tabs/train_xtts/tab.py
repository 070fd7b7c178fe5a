"""Train XTTS: from a dataset to a fine-tuned model, in three steps."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.library.training_runs import ALIVE, INTERRUPTED
from modules.tools.models.library import DOWNLOAD
from modules.tools.services import Services
from modules.ui.events import listen
from modules.ui.tabs.train_xtts.evaluation import TrainingJudge
from modules.ui.tabs.train_xtts.live import LiveTraining
from modules.ui.tabs.train_xtts.setup import SETUP, TrainingSetup
from modules.ui.views import Studio
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import menu, menu_update

PREPARE, TRAIN, JUDGE = "prepare", "train", "judge"
NO_RUN = "No training yet"
SEQUENCE = "training-run"


class TrainTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services: Services = studio.services
        self._run = gr.State("")
        self._menu = menu("Training")
        with gr.Tabs(selected=PREPARE) as self._steps:
            with gr.Tab("1 · Prepare", id=PREPARE):
                self._downloads = JobsView(self._services, (DOWNLOAD,), shared=(DOWNLOAD,))
                self._setup = TrainingSetup(self._services)
            with gr.Tab("2 · Train", id=TRAIN):
                self._live = LiveTraining(self._services, self._run)
            with gr.Tab("3 · Judge and publish", id=JUDGE) as self._judging:
                self._judge = TrainingJudge(self._services, self._run)
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
        studio.on_open(self._first_step, [], [self._steps])
        self._judge.jobs.find_on_open(studio)
        self._downloads.find_on_open(studio)
        listen(self._menu.input, self._show, [self._menu], shown, sequence=SEQUENCE)
        # Players drawn while they are hidden keep the browser busy: only when their step is opened.
        run = [self._run]
        listen(self._judging.select, self._judge.show, run, self._judge.outputs, sequence=SEQUENCE)
        listen(self._menu.input, lambda: gr.update(selected=TRAIN), [], [self._steps])
        self._setup.listen(self._downloads.job_id)
        self._live.listen()
        self._live.on_deleted(self._show, shown, SEQUENCE)
        self._judge.listen(SEQUENCE)
        started = listen(
            self._setup.started.change, self._show, [self._setup.started], shown, sequence=SEQUENCE
        )
        listen(started.success, lambda: gr.update(selected=TRAIN), [], [self._steps])
        self._downloads.on_finished(
            lambda job, *now: self._setup.refresh(*now), chosen, self._setup.outputs, SETUP
        )

    def _show(self, name: str | None) -> list[Any]:
        """A run on all steps; without a name the active one, or else the one started last."""
        runs = self._services.training_runs.list()
        names = [run.name for run in runs]
        running = next((run.name for run in runs if run.state in ALIVE), "")
        chosen = name if name in names else running or next(iter(names), "")
        return [
            chosen,
            menu_update([(run, run) for run in names], chosen, NO_RUN),
            *self._live.show(chosen),
        ]

    def _first_step(self) -> Any:
        """The step that is shown first: Train while a training is active or was interrupted."""
        runs = self._services.training_runs.list()
        waits = any(run.state in (*ALIVE, INTERRUPTED) for run in runs)
        return gr.update(selected=TRAIN if waits else PREPARE)
