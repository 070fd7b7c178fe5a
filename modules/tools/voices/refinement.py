"""Refining the voices of samples: they speak at once, and become better in the background."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from modules.core_components.errors import StudioError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.job import ACTIVE, CANCELLED, FAILED, INTERRUPTED
from modules.core_components.texts import _
from modules.core_components.values import Sample
from modules.tools.services import Services

logger = logging.getLogger(__name__)

REFINE = "refine_voice"
_MOST_JOBS = 1000
LANE = "refining"  # of its own: it takes minutes, and pauses while others compute


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_refine(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        sample = services.samples.voice(payload["sample"])
        prompt, _unused = services.tts.refine_voice(
            payload["model_id"], sample, job.progress, job.cancel
        )
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
    return services.jobs.submit(REFINE, _("Refine the voice of {name}", name=sample.name), payload)


def refine_later(services: Services, model_id: str, sample_name: str) -> None:
    """Queues refining a voice that was just spoken with, if the settings say so.

    One that the user cancelled, or that failed, is not tried again by itself. What stands in the
    way is logged: the speech was made all the same.
    """
    if not services.settings.refine_voices:
        return
    try:
        sample = services.samples.voice(sample_name)
        payload = {"model_id": model_id, "sample": sample.name}
        ended = services.jobs.list((CANCELLED, FAILED, INTERRUPTED), REFINE)
        if not any(job.payload == payload for job in ended):
            submit_refinement(services, model_id, sample)
    except StudioError as error:  # the sample was deleted meanwhile, or the disk is full
        logger.warning("The voice of %s is not refined: %s", sample_name, error.message)


def is_being_refined(services: Services, model_id: str, sample_name: str) -> bool:
    """Whether the voice of a sample is refined right now, or is about to be."""
    job = find_refinement(services, model_id, sample_name)
    return job is not None and job.is_active


def find_refinement(services: Services, model_id: str, sample_name: str) -> Job | None:
    """The last job that refined the voice of a sample, whatever became of it."""
    payload = {"model_id": model_id, "sample": sample_name}
    jobs = services.jobs.list(kind=REFINE, limit=_MOST_JOBS)
    return next((job for job in jobs if job.payload == payload), None)


def resume_refinements(services: Services) -> None:
    """Queues again what the last stop of the studio interrupted."""
    for job in services.jobs.list((INTERRUPTED,), REFINE):
        services.jobs.resume(job.id)
