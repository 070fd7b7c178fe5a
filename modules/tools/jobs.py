"""All kinds of jobs: each is defined in the file of its task."""

from __future__ import annotations

from modules.tools.conversation import conversation
from modules.tools.dataset import build, report
from modules.tools.listening import transcribe
from modules.tools.models import benchmark, library, tuned_models
from modules.tools.services import Services
from modules.tools.speaking import download_and_speak, history, speech
from modules.tools.training import publish, training
from modules.tools.voices import preparation, previews, refinement, remedies, samples

_TASKS = (
    *(speech, download_and_speak, history, previews, samples, remedies),
    *(preparation, refinement),
    *(transcribe, conversation, library, tuned_models, benchmark, build, report, training, publish),
)


def register_job_kinds(services: Services) -> None:
    """Registers the kinds with the runner, which resumes jobs of an earlier process, too."""
    for task in _TASKS:
        task.register(services)
