"""All voices of a model in a list; a click chooses one and plays it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from modules.core_components.text.language_names import language_name
from modules.tools.services import Services
from modules.tools.voices.preset_voices import PresetVoice, preset_voices
from modules.ui.widgets.parts import choice_list
from modules.ui.widgets.snippets import badge, excerpt, table_html

EVERY_LANGUAGE = "Every language"
HEADERS = ("Voice", "What it is")
NO_VOICES = "No voice speaks this language."
NO_MODEL = "There are no voices yet. Get a speaking model on the Models tab; Kokoro is small."
# The voice that sounds best by the makers' own grades; others come first where it is missing.
FIRST_CHOICE = "af_heart"


class VoiceList:
    """The list; the name of the chosen voice is in `chosen`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.chosen = gr.State(FIRST_CHOICE)
        self.language = gr.Dropdown(
            [EVERY_LANGUAGE], value=EVERY_LANGUAGE, label="Voices for", filterable=False
        )
        with gr.Column(elem_classes="studio-short"):
            self.rows = choice_list()

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.chosen, self.language, self.rows]

    def show(self, model_id: str, language: str, chosen: str) -> list[Any]:
        """The voices as they are now; keeps the chosen one if it is still there."""
        voices = self.voices(model_id)
        names = [voice.name for voice in voices]
        if chosen not in names:
            chosen = next(iter([name for name in names if name == FIRST_CHOICE] or names), "")
        spoken = list(dict.fromkeys(voice.language for voice in voices if voice.language))
        choices = [EVERY_LANGUAGE, *((language_name(code), code) for code in spoken)]
        language = language if language in spoken else EVERY_LANGUAGE
        fitting = [
            voice
            for voice in voices
            if language in (EVERY_LANGUAGE, voice.language) or voice.is_own
        ]
        return [
            chosen,
            gr.update(choices=choices, value=language),
            self.table(fitting, chosen, NO_VOICES if voices else NO_MODEL),
        ]

    def voices(self, model_id: str) -> tuple[PresetVoice, ...]:
        """The voices of the model, the user's own first; none without a model."""
        if not model_id:
            return ()
        voices = preset_voices(self._services, self._services.tts.get(model_id))
        return tuple(sorted(voices, key=lambda voice: not voice.is_own))

    def voice(self, model_id: str, name: str) -> PresetVoice | None:
        """What is known of a voice; None when it is not there."""
        return next((voice for voice in self.voices(model_id) if voice.name == name), None)

    def table(self, voices: Sequence[PresetVoice], chosen: str, empty: str) -> str:
        """The rows as HTML."""
        return table_html(HEADERS, [(v.name, _cells(v)) for v in voices], chosen, empty)


def _cells(voice: PresetVoice) -> tuple[str, str]:
    who, _, what = voice.label.partition(" · ")
    name = f"{html.escape(who)}<small>{html.escape(voice.name)}</small>"
    if not voice.is_own:
        return name, html.escape(what)
    language = html.escape(language_name(voice.language)) if voice.language else ""
    return (
        name,
        f"{badge('your own', 'good')} {language}<small>{excerpt(voice.made_from, 60)}</small>",
    )
