"""Designing a voice as a job. To do it is to speak, as `job_kinds` knows how."""

from __future__ import annotations

from modules.core_components.jobs import Job
from modules.tools.jobs import DESIGN, submit_speech
from modules.tools.services import Services
from modules.tools.voices.design import DesignRequest

__all__ = ["DESIGN", "submit_design"]


def submit_design(services: Services, request: DesignRequest, live: bool = False) -> Job:
    """Checks the request now and queues it; the seed is drawn here, so a resumed job repeats.

    The job's result is the take. What a `live` job says can be heard while it works.
    """
    return submit_speech(services, request.spoken(), live, DESIGN)
