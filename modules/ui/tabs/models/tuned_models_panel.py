"""Fine-tuned models on the Models tab: import a zip, pack one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.tools.models import tuned_models
from modules.tools.models.tuned_jobs import EXPORT_TUNED, submit_export, submit_import
from modules.tools.services import Services
from modules.ui.handlers import listen
from modules.ui.widgets.parts import panel

ABOUT = (
    "<div class='studio-note'>A zip with config.json, model.pth, vocab.json, speakers_xtts.pth and "
    "reference clips, as the studio and most XTTS trainers write it. Everything in it is read "
    "before it counts as a model; nothing in it is run.</div>"
)


class TunedModelsPanel:
    """Draws the import form, and a button that packs the chosen model."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def build_export(self) -> None:
        """The button, and where the packed model is fetched; part of the model's details."""
        self.pack = gr.Button("Pack as a zip", size="sm", visible=False)
        self._packed = gr.File(label="The packed model", visible=False, interactive=False)

    def build_import(self) -> None:
        """The form; closed until somebody opens it."""
        with gr.Accordion("Import a fine-tuned XTTS", open=False):
            panel(ABOUT)
            self._file = gr.File(
                label="Zip of the model", file_types=[tuned_models.SUFFIX], height=130
            )
            self._name = gr.Textbox(value="", label="Name", placeholder="As on its card")
            self._accept = gr.Checkbox(
                label="I accept the Coqui Public Model License (non-commercial use only)",
                value=False,
                visible=tuned_models.needs_consent(self._services),
            )
            self._import = gr.Button("Import", variant="primary")

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.pack, self._packed, self._accept]

    def show(self, is_tuned: bool, packed: str = "") -> list[Any]:
        """`is_tuned`: the chosen model is one; `packed` is the file that was just made of it."""
        return [
            gr.update(visible=is_tuned),
            gr.update(value=packed or None, visible=bool(packed)),
            gr.update(visible=tuned_models.needs_consent(self._services)),
        ]

    def follow_in(self, job_id: Any, chosen: Any) -> None:
        """Starts the jobs; the page shows them where it shows its others."""
        form = [self._file, self._name, self._accept]
        listen(self._import.click, self._submit_import, form, [job_id, *form])
        listen(self.pack.click, self._submit_export, [chosen], [job_id])

    def _submit_import(self, file: str | None, name: str, accepted: bool) -> list[Any]:
        if not file:
            raise BadInputError("There is no file yet.", "Drop in the zip of a model.")
        job = submit_import(self._services, Path(file), name, accepted)
        return [job.id, None, "", False]

    def _submit_export(self, model_id: str) -> str:
        return submit_export(self._services, model_id).id


def packed_file(job: Job) -> str:
    """The zip that a finished job made; "" for a job of another kind."""
    return (job.result or {}).get("file", "") if job.kind == EXPORT_TUNED else ""
