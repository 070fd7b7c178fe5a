"""Hearing a take while it is being made, its text followed word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.jobs import Job
from modules.ui.context import Studio
from modules.ui.handlers import listen

_SCRIPT = Path(__file__).parents[1] / "static" / "js" / "live_player.js"
# The choice stays in the browser, since it is about this machine's loudspeaker.
RESTORE_CHOICE = "() => localStorage.getItem('studio-live') !== 'no'"
KEEP_CHOICE = "wanted => localStorage.setItem('studio-live', wanted ? 'yes' : 'no')"


class LivePlayer:
    """A box to tick, and below the button that starts a job the stage where it is heard.

    `wanted` goes into the handler that submits the job, `heard` gets what `following` says.
    """

    def __init__(self, studio: Studio) -> None:
        self.wanted = gr.Checkbox(label="Play while speaking", value=True, container=False)
        self.heard: Any = None
        listen(studio.page.load, None, [], [self.wanted], js=RESTORE_CHOICE, queue=False)
        listen(self.wanted.input, None, [self.wanted], [], js=KEEP_CHOICE, queue=False)

    def build_stage(self) -> None:
        """Draws the place where the text is followed; it is empty until something is heard."""
        # The script draws all of it: what a user typed must never be read as HTML.
        self.heard = gr.HTML(
            value="",
            html_template="",
            js_on_load=_SCRIPT.read_text(encoding="utf-8"),
            apply_default_css=False,
            elem_classes="studio-panel",
        )

    def following(self, job: Job, wanted: bool) -> Any:
        """The value for `heard` that makes the page listen to a job."""
        return job.id if wanted else gr.skip()
