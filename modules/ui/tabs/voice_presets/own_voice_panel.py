"""The user's own voices on the page: saved from a mix, brought in, taken along, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.library.names import safe_stem
from modules.core_components.text.language_names import language_name
from modules.tools.services import Services
from modules.tools.voices.own_voices import MODEL, SUFFIXES, export_preset, import_voice
from modules.ui.handlers import listen, tell
from modules.ui.widgets.confirmed_button import ConfirmedButton
from modules.ui.widgets.download_buttons import DownloadButtons
from modules.ui.widgets.parts import panel

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
