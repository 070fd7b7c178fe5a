"""A button that asks before it acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from modules.ui.handlers import listen
from modules.ui.widgets.parts import panel


class ConfirmedButton:
    """`label` opens a question with two answers; only the first of them acts."""

    def __init__(self, label: str, question: str, yes: str) -> None:
        self.button = gr.Button(label, variant="stop", size="sm")
        with gr.Row(visible=False) as self._ask:
            panel(f"<div class='studio-note'>{question}</div>")
            self._yes = gr.Button(yes, variant="stop", size="sm")
            no = gr.Button("Keep it", size="sm")
        shown = [self.button, self._ask]
        listen(self.button.click, lambda: _asking(True), [], shown, queue=False)
        listen(no.click, lambda: _asking(False), [], shown, queue=False)

    def on_confirm(
        self, work: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]
    ) -> Any:
        """Calls `work` once the user said yes; returns the event for what follows."""
        listen(self._yes.click, lambda: _asking(False), [], [self.button, self._ask], queue=False)
        return listen(self._yes.click, work, inputs, outputs)


def _asking(now: bool) -> tuple[Any, Any]:
    return gr.update(visible=not now), gr.update(visible=now)
