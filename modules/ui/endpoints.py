"""What programs may call: the page's own API, small and typed.

`gradio_client` finds these by name; everything else on the page is private. Long work is a job
here too: submit, then ask for its state.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.jobs import Job
from modules.tools.jobs import submit_speech
from modules.tools.services import Services
from modules.tools.speaking.speech import SpeechRequest
from modules.ui.handlers import tell_errors

PUBLIC = ("clone_voice", "job_status", "cancel_job")


def add_endpoints(services: Services) -> None:
    """Registers the public endpoints in the current Blocks."""

    def clone_voice(
        text: str,
        voice: str,
        kind: str = "sample",
        engine: str = "",
        language: str = "",
        seed: int = -1,
    ) -> dict[str, Any]:
        """Queues a take in the voice of a sample, or (kind "preset") of a stock voice."""
        request = SpeechRequest(
            text=text, voice=voice, kind=kind, engine=engine, language=language, seed=seed
        )
        return job_facts(submit_speech(services, request))

    def job_status(job_id: str) -> dict[str, Any]:
        """Where a job is, and its result once it is done."""
        return job_facts(services.jobs.get(job_id))

    def cancel_job(job_id: str) -> dict[str, Any]:
        """Stops a job."""
        services.jobs.cancel(job_id)
        return job_facts(services.jobs.get(job_id))

    for endpoint in (clone_voice, job_status, cancel_job):
        gr.api(tell_errors(endpoint), api_name=endpoint.__name__)


def job_facts(job: Job) -> dict[str, Any]:
    """A job as plain JSON."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "fraction": job.fraction,
        "message": job.message,
        "eta_s": job.eta_s,
        "result": dict(job.result) if job.result else None,
        "error": job.error,
        "hint": job.hint,
    }
