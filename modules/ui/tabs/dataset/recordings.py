"""Bringing recordings into a dataset: files, a folder of this machine, a microphone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.base import describe_options
from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.tools.dataset.build import DatasetRequest
from modules.tools.dataset.build_jobs import submit_build
from modules.tools.models.ready_models import listening_models
from modules.tools.services import Services
from modules.ui.handlers import listen, tell, warn
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import audio_recorder, menu, menu_update, panel, title
from modules.ui.widgets.snippets import duration_text, empty_html

NONE = "None installed"
AUTO = "auto"
NO_MODEL = "No listening model is installed yet. Get one on the Models tab: Whisper base is small."
WHAT = (
    "Recordings, videos, archives (zip, tar), subtitles (srt, vtt) with their recording of the "
    "same name, or an LJSpeech dataset as an archive. What is there already is not taken twice."
)
_TOLD = 5


class RecordingsPanel:
    """What to add and how to listen to it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        title("Recordings")
        with gr.Tabs():
            with gr.Tab("Files"):
                self._files = gr.File(
                    label="Recordings of one person", file_count="multiple", height=150
                )
            with gr.Tab("Folder"):
                self._folder = gr.Textbox(
                    value="",
                    label="Folder on this machine",
                    placeholder="/home/me/recordings",
                    info="A folder, an archive, or a metadata.csv beside its wavs.",
                )
            with gr.Tab("Microphone"):
                self._spoken = audio_recorder("Record", ["microphone"])
        panel(f"<div class='studio-note'>{WHAT}</div>")
        self._no_model = panel(visible=False)
        with gr.Row():
            self.model = menu("Listening model", NONE)
            self.precision = menu("Precision", AUTO)
        self.build = gr.Button("Add to the dataset", variant="primary", size="lg")

    @property
    def outputs(self) -> list[Any]:
        """What `choices` gives values for."""
        return [self._no_model, self.model, self.precision]

    def choices(self, model: str | None, precision: str | None) -> list[Any]:
        """The listening models that are here, and what the chosen one computes with."""
        models = {model_id: label for label, model_id in self.labels()}
        default = self._services.settings.asr_model
        chosen = next((name for name in (model, default, *models) if name in models), "")
        options = describe_options(self._services.asr.get(chosen).options_type) if chosen else ()
        known = next((item.choices for item in options if item.name == "precision"), ())
        return [
            gr.update(value=empty_html(NO_MODEL), visible=not models),
            menu_update([(label, name) for name, label in models.items()], chosen, NONE),
            menu_update([(name, name) for name in known or (AUTO,)], precision, AUTO),
        ]

    def labels(self) -> list[tuple[str, str]]:
        """The listening models that are here: label and id."""
        return [(entry.label, entry.id) for entry in listening_models(self._services)]

    def listen(self, dataset: Any, jobs: JobsView) -> None:
        """Adds to the dataset named in the state `dataset`; the work is shown in `jobs`."""
        chosen = [self.model, self.precision]
        listen(self.model.input, self.choices, chosen, self.outputs, unchecked=True)
        given = [self._files, self._folder, self._spoken]
        listen(self.build.click, self._submit, [dataset, *given, *chosen], [jobs.job_id, *given])

    def _submit(
        self,
        dataset: str,
        files: Sequence[str] | None,
        folder: str,
        spoken: str | None,
        model: str | None,
        precision: str | None,
    ) -> list[Any]:
        if not dataset:
            raise BadInputError("There is no dataset yet.", "Create one above.")
        if not model:
            raise BadInputError("No listening model is installed.", "Get one on the Models tab.")
        uploads = [*(files or ()), *([spoken] if spoken else ())]
        place = folder.strip()
        if not uploads and not place:
            raise BadInputError(
                "There are no recordings yet.",
                "Drop in files and let them arrive, name a folder, or record something.",
            )
        job = None
        for inputs, uploaded in ((tuple(uploads), True), ((place,) if place else (), False)):
            if not inputs:
                continue
            request = DatasetRequest(
                dataset=dataset,
                inputs=inputs if uploaded else (str(_existing(place)),),
                model_id=model,
                precision=precision or AUTO,
            )
            job = submit_build(self._services, request, uploaded)
        return [job.id if job else gr.skip(), None, "", None]


def tell_summary(job: Job) -> None:
    """What came of the recordings, and what could not be used."""
    result = job.result or {}
    added, there = len(result.get("added", ())), len(result.get("already_there", ()))
    refused = result.get("refused", ())
    minutes = duration_text(result.get("kept_s", 0.0))
    known = f" {there} were there already." if there else ""
    tell(f"{added} recordings added.{known}", f"The dataset now holds {minutes} of speech.")
    warn([f"{item['name']}: {item['message']} {item['hint']}" for item in refused[:_TOLD]])
    if len(refused) > _TOLD:
        warn([f"{len(refused) - _TOLD} more could not be used; the job's log names them."])


def _existing(typed: str) -> Path:
    """The place on this machine. Raises BadInputError if there is none."""
    try:
        place = Path(typed).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInputError(
            f"There is no folder {typed!r} on this machine.", "Give its whole path."
        ) from error
    return place
