"""Preparing the voice of a new sample in the background, so that its first take is quick.

It is work of low priority: it begins when nothing else computes, and stops when the user asks for
something meanwhile, to begin anew afterwards. A take in the same voice is no reason to stop: it
waits for the same voice prompt and shares it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from modules.core_components.ai_models.model_pool import Way
from modules.core_components.errors import JobCancelled, StudioError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.job import ACTIVE, INTERRUPTED
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _, mark
from modules.tools.models.fallback import choose_speaking_model
from modules.tools.models.library import DOWNLOAD, LOAD
from modules.tools.models.memory import load_plan
from modules.tools.models.ready_models import can_clone, speaking_models
from modules.tools.services import Services
from modules.tools.voices.refinement import REFINE

logger = logging.getLogger(__name__)

PREPARE = "prepare_voice"
LANE = "preparing"  # of its own: a refinement takes minutes
# Jobs that a preparation does not wait for: they compute little, or are of low priority as well.
_BESIDE = frozenset((PREPARE, REFINE, DOWNLOAD, LOAD))
_LOOK_EVERY_S = 0.2
WAITING = mark("Waiting until nothing else computes")


def cloning_model(services: Services) -> str:
    """The id of the model that takes a sample's voice unless another is chosen; "" without one."""
    usual = choose_speaking_model(services).model_id
    models = [entry.id for entry in speaking_models(services) if can_clone(entry)]
    return usual if usual in models else next(iter(models), "")


def prepare_later(services: Services, sample_name: str, model_id: str = "") -> Job | None:
    """Queues preparing a sample's voice for a model ("": the usual one), if the settings say so.

    None where that is done, queued, forbidden or not possible. What stands in the way is logged:
    the first take prepares the voice all the same.
    """
    if not services.settings.prepare_voices:
        return None
    try:
        model_id = model_id or cloning_model(services)
        sample = services.samples.voice(sample_name)
        if not model_id or services.tts.prepared_voice(model_id, sample) is not None:
            return None
        payload = {"model_id": model_id, "sample": sample.name}
        if is_preparing(services, sample.name):
            return None
        return services.jobs.submit(
            PREPARE, _("Prepare the voice of {name}", name=sample.name), payload
        )
    except StudioError as error:
        logger.warning("The voice of %s is not prepared: %s", sample_name, error.message)
        return None


def is_preparing(services: Services, sample_name: str) -> bool:
    """Whether preparing this sample's voice waits or runs."""
    queued = services.jobs.list(ACTIVE, PREPARE)
    return any(job.payload.get("sample") == sample_name for job in queued)


def resume_preparations(services: Services) -> None:
    """Queues again what the last stop of the studio interrupted."""
    for job in services.jobs.list((INTERRUPTED,), PREPARE):
        services.jobs.resume(job.id)


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_prepare(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        _prepare(services, payload["model_id"], payload["sample"], job)
        return {"sample": payload["sample"], "model_id": payload["model_id"]}

    services.jobs.register(PREPARE, run_prepare, LANE)


def _prepare(services: Services, model_id: str, sample_name: str, job: JobContext) -> None:
    """Returns once the voice is prepared, by this job or by a take.

    Also where its model is not loaded and another one would have to leave memory for it: that is
    for the user to cause. Raises JobCancelled.
    """
    sample = services.samples.voice(sample_name)
    while services.tts.prepared_voice(model_id, sample) is None:
        _wait_for_quiet(services, model_id, sample.name, job)
        if _would_evict(services, model_id):
            job.log(_("Its model would take the room of another one; the first take prepares it."))
            return
        with _stopped_by_others(services, model_id, sample.name, job) as token:
            try:
                services.tts.prepare_voice(model_id, sample, job.progress, token)
            except JobCancelled:
                job.cancel.raise_if_cancelled()
                job.log(_("Others compute; it begins anew afterwards."))


def _wait_for_quiet(services: Services, model_id: str, sample_name: str, job: JobContext) -> None:
    device = services.tts.context_of(model_id).device
    while _others_wait(services, model_id, sample_name) or services.tts.pool.is_running(device):
        job.progress(0.0, _(WAITING))
        if job.cancel.wait(_LOOK_EVERY_S):
            job.cancel.raise_if_cancelled()


@contextmanager
def _stopped_by_others(
    services: Services, model_id: str, sample_name: str, job: JobContext
) -> Iterator[CancelToken]:
    """A token that is set by a cancel of the job, and as soon as the user asks for other work."""
    token, ended = CancelToken(), threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            if job.cancel.cancelled or _others_wait(services, model_id, sample_name):
                token.cancel()
                return

    watcher = threading.Thread(target=watch, name="watching for other work", daemon=True)
    watcher.start()
    try:
        yield token
    finally:
        ended.set()
        watcher.join()


def _others_wait(services: Services, model_id: str, sample_name: str) -> bool:
    """Whether a job that the user asked for waits or runs, other than a take in this voice."""
    return any(
        job.kind not in _BESIDE
        and (job.payload.get("model_id"), job.payload.get("voice")) != (model_id, sample_name)
        for job in services.jobs.list(ACTIVE)
    )


def _would_evict(services: Services, model_id: str) -> bool:
    """Whether loading the model would take another one out of memory, or wait for room."""
    plan = load_plan(services, model_id)
    return plan is not None and (plan.way in (Way.BUSY, Way.TOO_LARGE) or bool(plan.leaving))
