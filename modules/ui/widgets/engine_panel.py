"""Model, language and options: what every tab that generates speech asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark
from modules.tools.models.fallback import choose_speaking_model
from modules.tools.models.ready_models import (
    designs_voices,
    is_voice_match,
    option_types,
    speaking_models,
)
from modules.tools.models.remotes import privacy_words
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.voices.preset_voices import usual_language
from modules.ui.render import card_html, empty_html, note_html
from modules.ui.widgets.option_form import OptionForm
from modules.ui.widgets.parts import NO_TTS_MODEL, menu, menu_update, panel, require_model

# Part of every request, with controls of their own next to the engine's; pronunciations come from
# the dictionary.
EVERYWHERE = ("language", "seed", "pronunciations")
NONE = mark("None installed")
VOICE_MATCH = mark(
    "{label} cannot clone a voice; the studio moves its nearest stock voice towards your sample, "
    "at once, and better in the background after the first take. The similarity score of the take "
    "says how close it is. “Recommended engines” has those that clone truly."
)
TRUE_CLONE = mark("{label} clones the voice directly from the sample.")


class EnginePanel:
    """Menus of models and languages, and the chosen model's options.

    `ready` is the id of the model whose choices are shown.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.ready = gr.State("")
        with gr.Row():
            self.engine = menu(_("Engine"))
            self.language = menu(_("Language"))
        self._about = panel()
        with gr.Accordion(_("Options"), open=False):
            self._seed = gr.Number(
                label=_("Seed"),
                info=_("The same seed gives the same take. Empty or -1: a new one each time."),
                value=-1,
                precision=0,
            )
            self.options = OptionForm(option_types(services), leave_out=EVERYWHERE)
        form = self.options.component
        self.outputs = [self.ready, self.engine, self.language, self._about, form]
        # What `request` reads.
        self.inputs = [self.engine, self.language, self._seed, form]
        # The same by name, for `Studio.keep`.
        self.fields = {
            "engine": self.engine,
            "language": self.language,
            "seed": self._seed,
            "options": form,
        }

    def show(
        self,
        fits: Callable[[ModelEntry], bool],
        engine: str | None,
        language: str | None,
        is_cloning: bool,
    ) -> list[Any]:
        """The models that fit, and what the chosen one offers; the first value is its id."""
        models = {item.id: item for item in speaking_models(self._services) if fits(item)}
        usual = choose_speaking_model(self._services)
        model_id = next((name for name in (engine, usual.model_id, *models) if name in models), "")
        engines = [(_label(entry, is_cloning), entry.id) for entry in models.values()]
        if not model_id:
            nothing = menu_update([], "", _(NONE))
            return ["", nothing, nothing, empty_html(_(NO_TTS_MODEL)), self.options.show(None)]
        handle = self._services.tts.get(model_id)
        wanted = language if language in handle.languages else ""
        return [
            model_id,
            menu_update(engines, model_id, _(NONE)),
            menu_update(
                [(language_name(code), code) for code in handle.languages],
                wanted or usual_language(self._services, handle),
                _(NONE),
            ),
            card_html(usual.note if model_id == usual.model_id else "", kind="warn")
            + card_html(privacy_words(models[model_id]), kind="warn")
            + _about_html(models[model_id], is_cloning),
            self.options.show(handle.options_type),
        ]

    def request(
        self, text: str, voice: str | None, kind: str, values: Sequence[Any]
    ) -> SpeechRequest:
        """A request to speak `text`; `values` are those of `inputs`. Raises BadInputError."""
        engine, language, seed, options = values
        require_model(engine, "speech")
        if not voice:
            raise BadInputError(
                _("No voice is selected."),
                _("Select or add a sample, or choose a stock voice."),
                "voice",
            )
        return SpeechRequest(
            text=text,
            voice=voice,
            kind=kind,
            engine=engine,
            language=language or "",
            seed=None if seed is None else int(seed),
            options=self.options.read(self._services.tts.get(engine).options_type, options),
            score=self._services.settings.score_takes,
        )


def _label(entry: ModelEntry, is_cloning: bool) -> str:
    return (
        _("{label} (voice match)", label=entry.label)
        if is_cloning and is_voice_match(entry)
        else entry.label
    )


def _about_html(entry: ModelEntry, is_cloning: bool) -> Markup:
    if designs_voices(entry):
        return note_html(_(entry.note)) if entry.note else Markup()
    if not is_cloning:
        return Markup()
    words = VOICE_MATCH if is_voice_match(entry) else TRUE_CLONE
    return note_html(_(words, label=entry.label))
