"""The user's own voices on the page: saved from a mix, brought in, taken along, deleted."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.library.names import safe_stem
from modules.core_components.text.languages import language_name
from modules.tools.services import Services
from modules.tools.voices.own_voices import MODEL, SUFFIXES, export_preset, import_voice
from modules.tools.voices.preset_voices import PresetVoice, preset_voices
from modules.tools.voices.previews import PREVIEW, find_preview, submit_preview
from modules.ui.handlers import listen, tell
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import (
    ConfirmedButton,
    DownloadButtons,
    audio_player,
    choice_list,
    panel,
)
from modules.ui.widgets.snippets import badge, excerpt, table_html

FORMATS = tuple(suffix.lstrip(".") for suffix in SUFFIXES)
ABOUT_FILES = (
    "A Kokoro voice as other programs write it: .pt, .safetensors, or .bin with 510 x 256 bare "
    "numbers. No code in a file is ever run."
)


class VoiceFiles:
    """Below the list: the chosen voice as a file, and deleting it if it is the user's own."""

    def __init__(self, services: Services, model: gr.State, chosen: gr.State) -> None:
        self._services = services
        with gr.Row():
            downloads = DownloadButtons(FORMATS, "preset-voice-link")
        with gr.Column(visible=False) as self.own_tools:
            self._delete = ConfirmedButton(
                "Delete this voice", "It moves to voices/.trash.", "Delete it"
            )
        downloads.on_download(self._exported, chosen, model)

    def on_deleted(self, work: Any, inputs: list[Any], outputs: list[Any]) -> None:
        """Deletes the voice whose name is the first of `inputs`, then calls `work`."""

        def delete(name: str, *others: Any) -> Any:
            self._services.voices.delete(name)
            return work(name, *others)

        self._delete.on_confirm(delete, inputs, outputs)

    def _exported(self, fmt: str, voice: str, model_id: str) -> Path:
        target = self._services.exports_folder / f"{safe_stem(voice)}.{fmt}"
        return export_preset(self._services, voice, target, model_id)


class VoiceImport:
    """A form for a voice file; `kept` changes to the name of each voice that was brought in."""

    def __init__(self, services: Services, model: gr.State) -> None:
        self._services = services
        self.kept = gr.State("")
        spoken = services.catalog.entry(MODEL).languages
        with gr.Accordion("Import a voice", open=False):
            panel(f"<div class='studio-note'>{ABOUT_FILES}</div>")
            file = gr.File(label="Voice file", file_types=list(SUFFIXES), height=130)
            with gr.Row():
                name = gr.Textbox(
                    value="", label="Name", placeholder="As the file's", min_width=140
                )
                language = gr.Dropdown(
                    [("Not said", ""), *((language_name(code), code) for code in spoken)],
                    value="",
                    label="Its language",
                    min_width=140,
                )
            button = gr.Button("Import", variant="primary")
        form = [file, name, language]
        listen(button.click, self._import, [*form, model], [self.kept, *form])

    def _import(self, file: str | None, name: str, language: str, model_id: str) -> list[Any]:
        if not file:
            raise BadInputError("There is no file yet.", "Drop in a voice file.")
        kept = import_voice(self._services, Path(file), name, language or "", model_id or MODEL)
        tell(f"{kept.label} is kept as {kept.name}.")
        return [kept.name, None, "", ""]


# All voices of a model in a list; a click chooses one and plays it.


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


# Hearing what a voice sounds like, at once if it was ever heard before.


class VoicePreview:
    """A player, and the job that makes what is not there yet."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._player = audio_player("How it sounds", visible=False, autoplay=True)
        self._jobs = JobsView(services, (PREVIEW,))
        self._jobs.on_finished(_played, [], [self._player])

    @property
    def outputs(self) -> list[Any]:
        """What `hear` gives values for."""
        return [self._player, self._jobs.job_id]

    def hear(self, model_id: str, voice: str, language: str) -> list[Any]:
        """Plays the preview of a voice or mix, or has it made. Raises BadInputError."""
        kept = find_preview(self._services, model_id, voice, language)
        if kept is not None:
            return [_update(str(kept), voice), gr.skip()]
        job = submit_preview(self._services, model_id, voice, language)
        return [gr.update(value=None, visible=False), job.id]


def _played(job: Job) -> Any:
    result = job.result or {}
    return _update(result["file"], result["voice"])


def _update(file: str, voice: str) -> Any:
    return gr.update(value=file, label=voice, visible=True)
