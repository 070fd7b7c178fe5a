"""Panels, lists, players and recorders, all of one look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

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
