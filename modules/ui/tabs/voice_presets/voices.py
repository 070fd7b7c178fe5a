"""The voices of a model: the list with its previews, and voices as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.library.names import safe_stem
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark
from modules.tools.models.ready_models import has_stock_voices, speaking_models
from modules.tools.services import Services
from modules.tools.voices.own_voices import MODEL, SUFFIXES, export_preset, import_voice
from modules.tools.voices.preset_voices import PresetVoice, preset_voices
from modules.tools.voices.previews import PREVIEW, find_preview, submit_preview
from modules.ui.events import listen, notify
from modules.ui.render import render
from modules.ui.widgets import parts
from modules.ui.widgets.jobs_view import JobsView

FORMATS = tuple(suffix.lstrip(".") for suffix in SUFFIXES)
ABOUT_FILES = mark(
    "A Kokoro voice as other programs write it: .pt, .safetensors, or .bin with 510 x 256 raw "
    "float32 numbers. No code in a file is ever run."
)
ALL_LANGUAGES = mark("All languages")
NO_VOICES = mark("No voice speaks this language.")
NO_MODEL = mark("No voices yet. Download a speech model on the Models tab; Kokoro is small.")
# The voice that sounds best by the makers' own grades; the first of the list where it is missing.
FIRST_CHOICE = "af_heart"


class VoiceList:
    """The list; the name of the selected voice is in `chosen`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.chosen = gr.State(FIRST_CHOICE)
        self.kept = parts.mirror(self.chosen)
        self.language = gr.Dropdown(
            [(_(ALL_LANGUAGES), ALL_LANGUAGES)],
            value=ALL_LANGUAGES,
            label=_("Show voices for"),
            filterable=False,
        )
        with gr.Column(elem_classes="studio-short"):
            self.rows = parts.choice_list()
        self.outputs = [self.chosen, self.language, self.rows]

    def show(self, model_id: str, language: str, chosen: str) -> list[Any]:
        """The voices as they are now; the selected one stays if it is still there."""
        voices = self.voices(model_id)
        names = [voice.name for voice in voices]
        if chosen not in names:
            chosen = next(iter([name for name in names if name == FIRST_CHOICE] or names), "")
        spoken = list(dict.fromkeys(voice.language for voice in voices if voice.language))
        all_languages = (_(ALL_LANGUAGES), ALL_LANGUAGES)
        choices = [all_languages, *((language_name(code), code) for code in spoken)]
        language = language if language in spoken else ALL_LANGUAGES
        fitting = [
            voice
            for voice in voices
            if language in (ALL_LANGUAGES, voice.language)
            or voice.is_own
            or voice.name == chosen  # it is the one that speaks
        ]
        nothing = NO_VOICES if voices else NO_MODEL
        if not model_id and has_models(self._services):
            nothing = parts.LOADING  # the list of models has not arrived
        return [
            chosen,
            gr.update(choices=choices, value=language),
            voices_html(fitting, chosen, _(nothing)),
        ]

    def voices(self, model_id: str) -> tuple[PresetVoice, ...]:
        """The voices of the model, the user's own first; none without a model."""
        if not model_id:
            return ()
        voices = preset_voices(self._services, self._services.tts.get(model_id))
        return tuple(sorted(voices, key=lambda voice: not voice.is_own))

    def is_own(self, model_id: str, name: str) -> bool:
        """Whether the user made or imported this voice."""
        return any(voice.is_own for voice in self.voices(model_id) if voice.name == name)


def has_models(services: Services) -> bool:
    """Whether a model that has stock voices is installed."""
    return any(has_stock_voices(entry) for entry in speaking_models(services))


def voices_html(voices: Sequence[PresetVoice], chosen: str, empty: str) -> Markup:
    """The voices as a table to choose from."""
    rows = [(voice.name, voice) for voice in voices]
    return render("voices", rows=rows, chosen=chosen, empty=empty)


class VoicePreview:
    """A player, and the job that generates a preview the first time it is asked for."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._player = parts.audio_player(_("Preview"), visible=False, autoplay=True)
        self._jobs = JobsView(services, (PREVIEW,))
        # What `play` gives values for.
        self.outputs = [self._player, self._jobs.job_id]
        self._jobs.on_finished(_played, [], [self._player])

    def play(self, model_id: str, voice: str, language: str) -> list[Any]:
        """Plays the preview of a voice or mix, or has it generated. Raises BadInputError."""
        kept = find_preview(self._services, model_id, voice, language)
        if kept is not None:
            return [gr.update(value=str(kept), label=voice, visible=True), gr.skip()]
        job = submit_preview(self._services, model_id, voice, language)
        return [gr.update(value=None, visible=False), job.id]


def _played(job: Job) -> Any:
    result = job.result or {}
    return gr.update(value=result["file"], label=result["voice"], visible=True)


class VoiceFiles:
    """The selected voice as a file, and deleting it if it is the user's own."""

    def __init__(self, services: Services, model: gr.State, chosen: gr.State) -> None:
        self._services = services
        with gr.Row():
            downloads = parts.DownloadButtons(FORMATS, "preset-voice-link")
        with gr.Column(visible=False) as self.own_tools:
            self._delete = parts.ConfirmedButton(_("Delete voice"), _("It moves to the trash."))
        downloads.on_download(self._export, chosen, model)

    def on_deleted(
        self, work: Callable[..., Any], inputs: list[Any], outputs: list[Any], sequence: str
    ) -> None:
        """Deletes the voice whose name is the first of `inputs`, then calls `work`."""

        def delete(name: str, *others: Any) -> Any:
            self._services.voices.delete(name)
            return work(name, *others)

        self._delete.on_confirm(delete, inputs, outputs, sequence)

    def _export(self, fmt: str, voice: str, model_id: str) -> Path:
        target = self._services.exports_folder / f"{safe_stem(voice)}.{fmt}"
        return export_preset(self._services, voice, target, model_id)


class VoiceImport:
    """A form for a voice file; `kept` changes to the name of each imported voice."""

    def __init__(self, services: Services, model: gr.State) -> None:
        self._services = services
        self.kept = gr.State("")
        spoken = services.catalog.entry(MODEL).languages
        with gr.Accordion(_("Import a voice"), open=False):
            parts.note(_(ABOUT_FILES))
            file = gr.File(label=_("Voice file"), file_types=list(SUFFIXES), height=130)
            with gr.Row():
                name = gr.Textbox(
                    value="", label=_("Name"), placeholder=_("Name of the file"), min_width=140
                )
                language = gr.Dropdown(
                    [(_("Unknown"), ""), *((language_name(code), code) for code in spoken)],
                    value="",
                    label=_("Language of the voice"),
                    min_width=140,
                )
            button = gr.Button(_("Import"), variant="primary")
        form = [file, name, language]
        listen(button.click, self._import, [*form, model], [self.kept, *form])

    def _import(self, file: str | None, name: str, language: str, model_id: str) -> list[Any]:
        if not file:
            raise BadInputError(_("There is no file yet."), _("Upload a voice file."), "recording")
        kept = import_voice(self._services, Path(file), name, language or "", model_id or MODEL)
        notify(_("{label} is saved as {name}.", label=kept.label, name=kept.name))
        return [kept.name, None, "", ""]
