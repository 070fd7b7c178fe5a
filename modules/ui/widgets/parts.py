"""Panels, lists, players, recorders and buttons that several tabs use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.ui.events import listen, script
from modules.ui.render import empty_html, note_html, part, render

# What stands where nothing is known before the first answer of the server.
LOADING = mark("Loading…")
NO_TTS_MODEL = mark(
    "No speech model is installed yet. Download one on the Models tab; Kokoro is small."
)
NO_ASR_MODEL = mark(
    "No transcription model is installed yet. Download one on the Models tab; Whisper base "
    "is small."
)
# What a view is about: Ctrl+Enter in such a text presses such a button (keyboard.js), and the skip
# link leads to the text.
TEXT, GO = "studio-text", "studio-go"
WAVE = gr.WaveformOptions(
    waveform_color="#a8a29e", waveform_progress_color="#0d9488", trim_region_color="#0d948855"
)


def panel(
    html: str = "", visible: bool = True, script: str | None = None, element_id: str | None = None
) -> Any:
    """A part of the page in our own HTML (see `render`), flush with the components around it."""
    return gr.HTML(
        html,
        visible=visible,
        elem_id=element_id,
        elem_classes="studio-panel",
        apply_default_css=False,
        js_on_load=script,
    )


def scripted_panel(name: str) -> Any:
    """A panel that a script of `static/js` draws from its value, which is never read as HTML."""
    return gr.HTML(
        value="",
        html_template="",
        js_on_load=script(name),
        apply_default_css=False,
        elem_classes="studio-panel",
    )


def note(text: str) -> Any:
    """A remark in small subdued letters."""
    return panel(note_html(text))


def title(text: str) -> Any:
    """A heading inside a tab."""
    return panel(part("title", text))


def choice_list(view: str = "") -> Any:
    """A table whose rows are chosen by mouse or keyboard: the `id` comes with its `select`.

    With the id of a view the address becomes that of the chosen item (see `Studio.on_address`).
    """
    return panel(empty_html(_(LOADING)), script=script("choose_row", VIEW=repr(view)))


def polling_panel(every_s: float) -> Any:
    """A `panel` whose `select` event asks for its content, as long as it can be seen.

    Each answer costs the browser a walk through the whole page.
    """
    return panel(script=script("poll", PERIOD_MS=round(1000 * every_s)))


def menu(label: str, nothing: str = "", min_width: int = 160) -> Any:
    """A dropdown whose choices come later, with `menu_update`; until then it shows `nothing`, or
    that it loads.

    That there are none is only known then. Gradio refuses a value that is not among the choices,
    and an empty menu sends an empty one.
    """
    choices = [(nothing or _(LOADING), "")]
    return gr.Dropdown(label=label, choices=choices, value="", min_width=min_width)


def menu_update(choices: Sequence[tuple[str, str]], value: str | None, nothing: str) -> Any:
    """New choices; the value stays if it is still one of them, else the first is taken."""
    known = list(choices) or [(nothing, "")]
    values = [key for _unused, key in known]
    return gr.update(choices=known, value=value if value in values else values[0])


def require_model(model: str | None, task: str = "transcription") -> str:
    """The id that a menu of models sent. Raises BadInputError where none is installed."""
    if not model:
        problem = (
            _("No speech model is installed.")
            if task == "speech"
            else _("No transcription model is installed.")
        )
        raise BadInputError(problem, _("Download one on the Models tab."))
    return model


def hidden_text(value: str = "", element_id: str | None = None) -> Any:
    """A value that is held in the browser and not shown."""
    return gr.Textbox(value=value, elem_id=element_id, elem_classes="studio-hidden")


def mirror(state: Any) -> Any:
    """A hidden copy of a state in the browser, which keeps it (see `Studio.keep`).

    The state itself stays on the server: what is sent just after it was changed then has the new
    value, and not the one that the browser still knew.
    """
    copy: Any = (
        hidden_text(state.value)
        if isinstance(state.value, str)
        else gr.JSON(state.value, elem_classes="studio-hidden")
    )
    listen(state.change, lambda value: value, [state], [copy])
    return copy


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
    """Where the text of a take is typed."""
    return gr.Textbox(
        value="",
        label=_("Text to speak"),
        lines=5,
        max_lines=16,
        placeholder=_("Type what the voice should say."),
        elem_classes=TEXT,
    )


def audio_recorder(label: str, sources: list[Any]) -> Any:
    """Takes a recording as a file, by upload or microphone."""
    return gr.Audio(
        label=label,
        sources=sources,
        type="filepath",
        editable=False,
        buttons=[],  # sharing works on Hugging Face's own pages only
        waveform_options=WAVE,
    )


def button_panel(html: str = "", visible: bool = True) -> Any:
    """Buttons in our own HTML (`parts.html`): the `id` of the one pressed comes with its `select`.

    One component with one listener, where Gradio's buttons take one each: when the page is opened,
    it looks through all its listeners for each of its components.
    """
    return panel(html, visible, script("press_button"))


class ConfirmedButton:
    """A button that opens a question; its work is done once that is answered with `yes`, or
    else "Delete"."""

    def __init__(self, label: str, question: str, yes: str = "") -> None:
        html = render("confirmed_button", label=label, question=question, yes=yes or _("Delete"))
        self._panel = button_panel(html)

    def on_confirm(
        self,
        work: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sequence: str | None = None,
    ) -> Any:
        """Calls `work` after a yes; returns Gradio's dependency for what follows."""
        return listen(self._panel.select, work, inputs, outputs, sequence=sequence)


class DownloadButtons:
    """One small button for each format.

    The file is made when its button is clicked; then a hidden link hands it to the browser.
    """

    def __init__(self, formats: Sequence[str], element_id: str) -> None:
        labels = {fmt: _("Download {fmt}", fmt=_(fmt)) for fmt in formats}
        self._panel = button_panel(render("buttons", labels=labels, stops=(), disabled=()))
        self._link = gr.DownloadButton(elem_id=element_id, elem_classes="studio-hidden")
        # After a moment, which the browser needs to give the link its new address.
        self._click = script("click_link", LINK=element_id)

    def on_download(self, make: Callable[..., Path], *keys: Any) -> None:
        """Each button hands out `make(format, *values of keys)`."""

        def make_file(pressed: gr.EventData, *values: str) -> str:
            return str(make(pressed.id, *values))

        ready = listen(self._panel.select, make_file, keys, [self._link])
        listen(ready.success, None, js=self._click, queue=False)


class Pager:
    """Pages of a list: `page` is the number of the one shown, from 0, and two buttons turn them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.page = gr.State(0)
        with gr.Row():
            self._previous = gr.Button(_("Previous"), size="sm", min_width=90)
            self._number = panel()
            self._next = gr.Button(_("Next"), size="sm", min_width=90)
        self.outputs = [self.page, self._previous, self._number, self._next]

    def span(self, page: int, count: int) -> tuple[int, int]:
        """The first entry of a page of `count` entries, or of the last page, and the one after."""
        page = min(max(page, 0), max(count - 1, 0) // self._size)
        return page * self._size, min((page + 1) * self._size, count)

    def show(self, page: int, count: int) -> list[Any]:
        """The page and which of the two buttons can be used; all hidden for a single page."""
        first, last = self.span(page, count)
        visible = count > self._size
        return [
            first // self._size,
            gr.update(interactive=first > 0, visible=visible),
            render("page_number", first=first + 1, last=last, count=count),
            gr.update(interactive=last < count, visible=visible),
        ]

    def on_turn(
        self, work: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], sequence: str
    ) -> None:
        """Calls `work(page, *inputs)` with the number of the page that is asked for."""
        for button, step in ((self._previous, -1), (self._next, 1)):

            def turn(page: int, *values: Any, step: int = step) -> Any:
                return work(page + step, *values)

            listen(button.click, turn, [self.page, *inputs], outputs, sequence=sequence)
