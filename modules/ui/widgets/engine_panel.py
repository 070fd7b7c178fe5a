"""With which model, in which language and how: what every tab that speaks asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import BadInputError
from modules.core_components.text.language_names import language_name
from modules.tools.models.ready_models import is_voice_match, option_types, speaking_models
from modules.tools.services import Services
from modules.tools.speaking.fallback import choose_speaking_model
from modules.tools.speaking.speech import SpeechRequest
from modules.tools.voices.preset_voices import usual_language
from modules.ui.widgets.option_controls import OptionControls
from modules.ui.widgets.parts import menu, menu_update, panel
from modules.ui.widgets.snippets import empty_html, warning_html

NONE = "None installed"
NO_MODEL = "No speaking model is installed yet. Get one on the Models tab; Kokoro is small."
VOICE_MATCH = (
    "<b>Voice match.</b> {label} cannot copy a voice; the studio bends its nearest stock voice "
    "towards your sample. It comes near, and the likeness below says how near. The first time "
    "takes a minute or two; after that the voice is kept."
)
TRUE_CLONE = "{label} clones the voice directly from the sample."


class EnginePanel:
    """Menus of models and languages, and the chosen model's options.

    `ready` is the id of the model whose choices are on show.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.ready = gr.State("")
        with gr.Row():
            self.engine = menu("Engine", NONE)
            self.language = menu("Language", NONE)
        self._about = panel()
        with gr.Accordion("Options", open=False):
            self._seed = gr.Number(
                label="Seed",
                info="The same seed makes the same take. Empty or -1: a new one each time.",
                value=-1,
                precision=0,
            )
            self._options = OptionControls(option_types(services), None)

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.ready, self.engine, self.language, self._about, *self._options.groups]

    @property
    def inputs(self) -> list[Any]:
        """What `request` reads."""
        return [self.engine, self.language, self._seed, *self._options.components]

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
            nothing = menu_update([], "", NONE)
            return ["", nothing, nothing, empty_html(NO_MODEL), *self._options.show(None)]
        handle = self._services.tts.get(model_id)
        wanted = language if language in handle.languages else ""
        return [
            model_id,
            menu_update(engines, model_id, NONE),
            menu_update(
                [(language_name(code), code) for code in handle.languages],
                wanted or usual_language(self._services, handle),
                NONE,
            ),
            warning_html(usual.note if model_id == usual.model_id else "")
            + (_about_html(models[model_id]) if is_cloning else ""),
            *self._options.show(handle.options_type),
        ]

    def request(
        self, text: str, voice: str | None, kind: str, values: Sequence[Any]
    ) -> SpeechRequest:
        """The wish to say `text`; `values` are those of `inputs`. Raises BadInputError."""
        engine, language, seed, *options = values
        if not engine:
            raise BadInputError("No speaking model is installed.", "Get one on the Models tab.")
        if not voice:
            raise BadInputError("No voice is chosen.", "Choose or add a sample, or a stock voice.")
        return SpeechRequest(
            text=text,
            voice=voice,
            kind=kind,
            engine=engine,
            language=language or "",
            seed=None if seed is None else int(seed),
            options=self._options.read(self._services.tts.get(engine).options_type, options),
            score=self._services.settings.score_takes,
        )


def _label(entry: ModelEntry, is_cloning: bool) -> str:
    return f"{entry.label} (voice match)" if is_cloning and is_voice_match(entry) else entry.label


def _about_html(entry: ModelEntry) -> str:
    words = VOICE_MATCH if is_voice_match(entry) else TRUE_CLONE
    return f"<div class='studio-note'>{words.format(label=entry.label)}</div>"
