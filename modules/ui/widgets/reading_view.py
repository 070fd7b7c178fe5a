"""“How it will be read”: the spoken form of the text, and the steps that make it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.base import PhonemeEngine
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.text.reading.front_end import STEPS, steps_without
from modules.core_components.texts import _, mark
from modules.tools.models.ready_models import speaking_models
from modules.tools.services import Services
from modules.tools.speaking.phonemes import phonemize
from modules.tools.speaking.reading import (
    AS_WRITTEN,
    language_to_read,
    named_steps,
    read_text,
    step_label,
    steps_of,
)
from modules.ui.events import listen
from modules.ui.render import card_html, empty_html, note_html, render
from modules.ui.widgets.engine_panel import EnginePanel
from modules.ui.widgets.option_form import Form
from modules.ui.widgets.parts import NO_TTS_MODEL, panel

TITLE = mark("How it will be read")
NOT_READY = mark("The engines are still being listed. Press Update in a moment.")
NO_TEXT = mark("Type a text above to see how it will be read.")
WRITTEN = mark(
    "{label} was trained on text as it is written: it gets the text without formatting and reads "
    "numbers and abbreviations itself."
)
# The text is on show while its phonemes are still made.
SEQUENCE, PHONEMES = "reading", "phonemes-of-reading"


class ReadingView:
    """A closed panel with the spoken form of the text in the chosen language.

    It is made when it is opened, by its button, and when a step is left out. What steps are left
    out is in the engine's option `as_written` alone; the checkboxes show and fill it.
    """

    def __init__(self, services: Services, text: Any, engine: EnginePanel) -> None:
        self._services = services
        self._options = engine.options
        form = self._options.component
        with gr.Accordion(_(TITLE), open=False) as view:
            self._spoken = panel(empty_html(_(NO_TEXT)))
            self._phonemes = panel()
            self._steps = gr.CheckboxGroup(
                [(step_label(step.name), step.name) for step in STEPS],
                value=[step.name for step in STEPS],
                label=_("Steps of the reading"),
                info=_("A step that is not checked leaves the text as it is written."),
                visible=False,
            )
            update = gr.Button(_("Update"), size="sm")
        asked = [text, engine.engine, engine.language, form]
        shown = [self._spoken, self._phonemes, self._steps]
        for event in (view.expand, update.click):
            read = listen(event, self._show, asked, shown, sequence=SEQUENCE)
            self._follow_with_phonemes(read, asked)
        left_out = listen(
            self._steps.input,
            self._leave_out,
            [self._steps, *asked],
            [form, self._spoken, self._phonemes],
            sequence=SEQUENCE,
        )
        self._follow_with_phonemes(left_out, asked)

    def _follow_with_phonemes(self, read: Any, asked: Sequence[Any]) -> None:
        listen(read.success, self._show_phonemes, asked, [self._phonemes], sequence=PHONEMES)

    def _show(self, text: str, model_id: str, language: str, options: Form) -> list[Any]:
        """The spoken form; the phonemes, which take longer the first time, follow."""
        if not model_id:
            words = NOT_READY if speaking_models(self._services) else NO_TTS_MODEL
            return [empty_html(_(words)), "", gr.update(visible=False)]
        engine = self._services.tts.get(model_id)
        as_written = self._as_written(model_id, options)
        has_steps = self._options.has(engine.options_type, AS_WRITTEN)
        note = "" if has_steps else note_html(_(WRITTEN, label=engine.label))
        try:
            steps = gr.update(value=list(steps_of(engine, as_written)), visible=has_steps)
        except BadInputError as error:
            return [_error(error), "", gr.update(visible=has_steps)]
        if not text.strip():
            return [empty_html(_(NO_TEXT)), "", steps]
        try:
            code = language_to_read(self._services, language, model_id)
            reading = read_text(self._services, text, code, model_id, as_written)
        except StudioError as error:
            return [_error(error), "", steps]
        return [render("reading", reading=reading, engine=engine.label, note=note), "", steps]

    def _show_phonemes(self, text: str, model_id: str, language: str, options: Form) -> Any:
        """The phonemes, of models that have them, or why there are none."""
        if not (text.strip() and model_id):
            return ""
        if not isinstance(self._services.tts.get(model_id), PhonemeEngine):
            return ""
        as_written = self._as_written(model_id, options)
        try:
            steps_without(as_written)
        except BadInputError:
            return ""  # it is on show
        try:
            sentences = phonemize(self._services, model_id, text, language, as_written)
        except StudioError as error:
            return _error(error)
        return render("phonemes", sentences=sentences)

    def _leave_out(
        self, steps: Sequence[str], text: str, model_id: str, language: str, options: Form
    ) -> list[Any]:
        """Fills the option of the chosen model; those of others stay, and so do the checkboxes,
        of which another may be clicked meanwhile."""
        filled: Any = gr.skip()
        if model_id:
            kind = self._services.tts.get(model_id).options_type
            filled = options = self._options.fill(options, kind, {AS_WRITTEN: named_steps(steps)})
        spoken, phonemes, _unused = self._show(text, model_id, language, options)
        return [filled, spoken, phonemes]

    def _as_written(self, model_id: str, options: Form) -> str:
        """The option of the chosen model; "" where it has none."""
        kind = self._services.tts.get(model_id).options_type
        return str(self._options.read(kind, options).get(AS_WRITTEN, ""))


def _error(error: StudioError) -> Any:
    return card_html(error.message, error.hint, "bad")
