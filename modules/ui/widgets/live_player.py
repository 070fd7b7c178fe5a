"""Playing a take while it is generated, its text followed word by word."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.jobs import Job
from modules.ui.context import Studio, script
from modules.ui.handlers import listen
from modules.ui.widgets.parts import scripted_panel


class LivePlayer:
    """A box to tick, and below the button that starts a job the player.

    `wanted` goes into the handler that submits the job, `playing` gets what `following` returns.
    """

    def __init__(self, studio: Studio) -> None:
        self.wanted = gr.Checkbox(label="Play while generating", value=True, container=False)
        self.playing: Any = None
        # The browser keeps the choice: it is about the loudspeaker of that machine.
        restore, keep = script("restore_live_choice"), script("keep_live_choice")
        listen(studio.page.load, None, [], [self.wanted], js=restore, queue=False)
        listen(self.wanted.input, None, [self.wanted], [], js=keep, queue=False)

    def build_player(self) -> None:
        """Draws the player; it is invisible until something is played."""
        self.playing = scripted_panel("live_player")

    def following(self, job: Job, wanted: bool) -> Any:
        """The value for `playing` that makes the page play a job."""
        return job.id if wanted else gr.skip()
