"""Panels, lists, players and recorders, all of one look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from modules.ui.handlers import listen

WAVE = gr.WaveformOptions(
    waveform_color="#a8a29e", waveform_progress_color="#0d9488", trim_region_color="#0d948855"
)


# Rows can be clicked or chosen by keyboard; the row's id travels to the server.
CHOOSE_ROW = """
const choose = event => {
  const row = event.target.closest('[data-id]');
  if (!row) return;
  element.querySelectorAll('[data-id]').forEach(other => other.classList.remove('chosen'));
  row.classList.add('chosen');
  trigger('select', {id: row.dataset.id});
};
element.addEventListener('click', choose);
element.addEventListener('keydown', event => { if (event.key === 'Enter') choose(event); });
"""

# A panel in a tab that is not chosen asks for nothing: each answer costs the browser a walk
# through the whole page.
LOOK_AGAIN = """
setInterval(() => { if (element.offsetParent !== null) trigger('select', {}); }, %d);
"""


def panel(html: str = "", visible: bool = True, script: str | None = None) -> Any:
    """A piece of the page in our own HTML, flush with the components around it."""
    return gr.HTML(
        html,
        visible=visible,
        elem_classes="studio-panel",
        apply_default_css=False,
        js_on_load=script,
    )


def title(text: str) -> Any:
    """A heading inside a tab; `text` is not escaped."""
    return panel(f"<div class='studio-title'>{text}</div>")


def choice_list() -> Any:
    """A table (see `table_html`) whose `select` event carries the `id` of the chosen row."""
    return panel(script=CHOOSE_ROW)


def watching_panel(every_s: float) -> Any:
    """A `panel` whose `select` event asks for news, as long as it can be seen."""
    return panel(script=LOOK_AGAIN % round(1000 * every_s))


def menu(label: str, nothing: str, min_width: int = 160) -> Any:
    """A dropdown whose choices come later, with `menu_update`; `nothing` says that there are none.

    Gradio refuses a value that is not among the choices, and an empty menu sends an empty one.
    """
    return gr.Dropdown(label=label, choices=[(nothing, "")], value="", min_width=min_width)


def menu_update(choices: Sequence[tuple[str, str]], value: str | None, nothing: str) -> Any:
    """New choices; the value stays if it is still one of them, else the first is taken."""
    known = list(choices) or [(nothing, "")]
    values = [key for _, key in known]
    return gr.update(choices=known, value=value if value in values else values[0])


def audio_player(label: str, visible: bool = True, autoplay: bool = False) -> Any:
    """Plays a file of the studio; downloads have buttons of their own."""
    return gr.Audio(
        label=label,
        interactive=False,
        buttons=[],
        visible=visible,
        autoplay=autoplay,
        waveform_options=WAVE,
    )


def text_to_speak() -> Any:
    """Where a text is typed for a voice to say."""
    return gr.Textbox(
        value="",
        label="Text to speak",
        lines=5,
        max_lines=16,
        placeholder="Type what the voice should say.",
    )


def audio_recorder(label: str, sources: list[Any]) -> Any:
    """Takes a recording as a file, by upload or microphone."""
    return gr.Audio(
        label=label, sources=sources, type="filepath", editable=False, waveform_options=WAVE
    )


# A button that asks before it acts.


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


# Buttons that make a file only when it is asked for, then hand it to the browser.


# The browser needs a moment to give the hidden link its new address.
CLICK_LINK = "() => setTimeout(() => document.getElementById('{link}').click(), 150)"


class DownloadButtons:
    """One small button for each format, drawn in the current row."""

    def __init__(self, formats: Sequence[str], element_id: str) -> None:
        self._buttons = {
            fmt: gr.Button(f"Download {fmt}", size="sm", min_width=110) for fmt in formats
        }
        self._link = gr.DownloadButton(elem_id=element_id, elem_classes="studio-hidden")
        self._click = CLICK_LINK.format(link=element_id)

    def on_download(self, make: Callable[..., Path], *keys: Any) -> None:
        """Each button hands out `make(format, *values of keys)`."""

        def made(fmt: str, *values: str) -> str:
            return str(make(fmt, *values))

        for fmt, button in self._buttons.items():
            ready = listen(button.click, partial(made, fmt), keys, [self._link])
            listen(ready.success, None, js=self._click, queue=False)
