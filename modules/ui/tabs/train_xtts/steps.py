"""The steps of the Train XTTS tab: numbered in a row, the parts of one of them in sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from modules.core_components.texts import _, mark
from modules.ui.events import listen, script

# Also the ids of the elements on the page.
DATASET_STEP, SETTINGS_STEP, CHECK_STEP = "train-dataset", "train-settings", "train-check"
TRAIN_STEP, JUDGE_STEP = "train-run", "train-judge"
_LABELS = {
    DATASET_STEP: mark("Dataset"),
    SETTINGS_STEP: mark("Settings"),
    CHECK_STEP: mark("Check"),
    TRAIN_STEP: mark("Train"),
    JUDGE_STEP: mark("Listen and publish"),
}


class Steps:
    """Any step can be opened at any time; the buttons below each lead to the one before and after.

    Gradio's `Walkthrough` is not used: it locks each step after the one shown, so that the
    checkpoints of an earlier training could only be reached through all the others.
    """

    def __init__(self) -> None:
        self.row = gr.Tabs(
            selected=DATASET_STEP, overflow_behavior="wrap", elem_classes="training-steps"
        )
        with self.row:
            self.tabs = {
                step: gr.Tab(f"{number} · " + _(label), id=step, elem_id=step)
                for number, (step, label) in enumerate(_LABELS.items(), 1)
            }

    @contextmanager
    def draw(self, step: str) -> Iterator[None]:
        """What is drawn inside belongs to the step."""
        with self.row, self.tabs[step]:
            yield

    def back(self, to: str) -> None:
        """A button that leads to the step before."""
        self.open_on(gr.Button(_("Back"), min_width=90).click, to)

    def open_on(self, event: Callable[..., Any], step: str) -> None:
        """Opens a step on an event, without asking the server."""
        listen(event, None, [], [self.row], js=script("choose_step", STEP=step), queue=False)
