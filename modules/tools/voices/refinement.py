"""Refining the voices of samples: they speak at once, and become better in the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.job import ACTIVE, INTERRUPTED
from modules.core_components.values import Sample
from modules.tools.services import Services

REFINE = "refine_voice"
LANE = "refining"  # of its own: it takes minutes, and pauses while others compute


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_refine(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        sample = services.samples.voice(payload["sample"])
        prompt, _ = services.tts.refine_voice(payload["model_id"], sample, job.progress, job.cancel)
        return {"sample": sample.name, "model_id": payload["model_id"], "prompt": prompt.key}

    services.jobs.register(REFINE, run_refine, LANE)


def submit_refinement(services: Services, model_id: str, sample: Sample) -> Job | None:
    """Queues refining a sample's voice; None where that is done, queued or not possible."""
    tts = services.tts
    if not tts.can_refine(model_id) or tts.refined_voice(model_id, sample) is not None:
        return None
    payload = {"model_id": model_id, "sample": sample.name}
    queued = services.jobs.list(ACTIVE, REFINE)
    if any(job.payload == payload for job in queued):
        return None
    return services.jobs.submit(REFINE, f"Refine the voice of {sample.name}", payload)


def refine_later(services: Services, model_id: str, sample: Sample) -> None:
    """Queues refining a voice that was just spoken with, if the settings say so.

    One that the user cancelled, or that failed, is not tried again by itself.
    """
    if not services.settings.refine_voices:
        return
    payload = {"model_id": model_id, "sample": sample.name}
    if any(job.payload == payload for job in services.jobs.list(kind=REFINE)):
        return
    submit_refinement(services, model_id, sample)


def resume_refinements(services: Services) -> None:
    """Queues again what the last stop of the studio interrupted."""
    for job in services.jobs.list((INTERRUPTED,), REFINE):
        services.jobs.resume(job.id)
