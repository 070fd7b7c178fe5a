"""Choosing a dataset, or beginning a new one."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.text.language_names import language_name
from modules.tools.services import Services
from modules.ui.handlers import listen, tell
from modules.ui.widgets.confirmed_button import ConfirmedButton
from modules.ui.widgets.parts import menu, menu_update
from modules.ui.widgets.sample_panel import CONSENT

NONE = "None yet"
# The languages of XTTS, by ISO 639-1.
LANGUAGES = (
    *("en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru"),
    *("nl", "cs", "ar", "zh", "ja", "hu", "ko", "hi"),
)


class DatasetChoice:
    """A menu of the datasets and a form for a new one; the chosen one's name is in `chosen`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.chosen = gr.State("")
        self.name = menu("Dataset", NONE)
        with gr.Accordion("New dataset", open=False) as self._new:
            self._build_form()
        self._tools: Any = None

    def build_removal(self) -> ConfirmedButton:
        """Draws the button that deletes the chosen dataset."""
        with gr.Column(visible=False) as self._tools:
            return ConfirmedButton(
                "Delete this dataset", "It moves to datasets/.trash.", "Delete it"
            )

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.chosen, self.name, self._new, self._tools]

    def show(self, name: str) -> list[Any]:
        """The datasets as they are now; keeps the chosen one, or takes the latest."""
        datasets = self._services.datasets.list()
        latest = max(datasets, key=lambda dataset: dataset.created, default=None)
        names = [dataset.name for dataset in datasets]
        chosen = name if name in names else latest.name if latest else ""
        labels = [(f"{item.name} · {language_name(item.language)}", item.name) for item in datasets]
        return [
            chosen,
            menu_update(labels, chosen, NONE),
            gr.skip() if datasets else gr.update(open=True),
            gr.update(visible=bool(chosen)),
        ]

    def remove(self, name: str) -> None:
        """Moves the dataset to the trash."""
        self._services.datasets.delete(name)
        tell(f"{name} lies in the trash.")

    def _build_form(self) -> None:
        with gr.Row():
            name = gr.Textbox(value="", label="Name of the dataset", min_width=140)
            language = gr.Dropdown(
                sorted((language_name(code), code) for code in LANGUAGES),
                value="en",
                label="Language",
                min_width=140,
            )
        speaker = gr.Textbox(value="", label="Who speaks in it?", placeholder="Name")
        agreed = gr.Checkbox(label=CONSENT, value=False)
        button = gr.Button("Create it", variant="primary")
        form = [name, language, speaker, agreed]
        made = listen(button.click, self._create, form, [self.chosen, *form])
        self.created = made.success
        listen(made.success, lambda: gr.update(open=False), [], [self._new], queue=False)

    def _create(self, name: str, language: str, speaker: str, agreed: bool) -> list[Any]:
        if not speaker.strip():
            raise BadInputError("It is not said who speaks.", "Give the speaker's name.")
        if not agreed:
            raise BadInputError(
                "A voice may only be learned if its owner agreed.", "Ask, then tick the box."
            )
        dataset = self._services.datasets.create(name, language, speaker, agreed)
        tell(f"{dataset.name} is ready for recordings.")
        return [dataset.name, "", language, "", False]
