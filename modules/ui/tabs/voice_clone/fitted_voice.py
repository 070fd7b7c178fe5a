"""What the studio made of a sample: the fitted voice, how near it came, and its export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.jobs import Job
from modules.core_components.values import VoicePrompt
from modules.tools.jobs import EXPORT, submit_export
from modules.tools.services import Services
from modules.tools.voices.preset_voices import prepared_voice
from modules.ui.handlers import listen
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import panel
from modules.ui.widgets.snippets import duration_text, facts_html

EXPORT_FORMATS = (
    ("PyTorch (.pt)", ".pt"),
    ("safetensors", ".safetensors"),
    ("raw float32 (.bin)", ".bin"),
)
# Said of the figures of `fit_facts`.
MEASURED = "Likeness on the part of the sample that the fit never heard; 1 would be the same."


class FittedVoice:
    """Shown under a sample once an engine has prepared its voice."""

    def __init__(self, services: Services) -> None:
        self._services = services
        with gr.Accordion("The fitted voice", open=True, visible=False) as self._panel:
            self._facts = panel()
            panel(f"<div class='studio-note'>{MEASURED}</div>")
            with gr.Row():
                self._suffix = gr.Dropdown(
                    EXPORT_FORMATS, value=".pt", label="As a Kokoro voice", min_width=140
                )
                self._export = gr.Button("Export", size="sm", min_width=100)
            self._file = gr.File(label="The voice", visible=False)

    def follow_in(self, jobs: JobsView, sample: gr.State, engine: gr.State) -> None:
        """Shows the voice of the chosen sample and engine; exports run in `jobs`."""
        chosen = [sample, engine]
        shown = [self._panel, self._facts, self._file]
        for component in chosen:
            listen(component.change, self._show, chosen, shown)
        listen(self._export.click, self._submit, [*chosen, self._suffix], [jobs.job_id])
        jobs.on_finished(self._after_job, chosen, shown)

    def _submit(self, sample: str, engine: str, suffix: str) -> str:
        return submit_export(self._services, sample, engine, suffix).id

    def _show(self, sample: str, engine: str) -> list[Any]:
        prompt = prepared_voice(self._services, sample, engine)
        hidden = gr.update(value=None, visible=False)
        if prompt is None:
            return [gr.update(visible=False), "", hidden]
        return [gr.update(visible=True), facts_html(fit_facts(prompt)), hidden]

    def _after_job(self, job: Job, sample: str, engine: str) -> list[Any]:
        panel, facts, file = self._show(sample, engine)
        if job.kind == EXPORT and job.result:
            file = gr.update(value=str(Path(job.result["file"])), visible=True)
        return [panel, facts, file]


def fit_facts(prompt: VoicePrompt) -> dict[str, str]:
    """Start and end of the fit, as far as the engine wrote them down."""
    info: Mapping[str, Any] = prompt.info
    return {
        "Started from": str(info.get("start_voice", "")),
        "Its likeness": _figure(info.get("start_similarity")),
        "After the fit": _figure(info.get("held_out_similarity")),
        "The speaker himself": _figure(info.get("self_similarity")),
        "Fitted in": duration_text(info["seconds"]) if "seconds" in info else "",
    }


def _figure(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, (int, float)) else ""
