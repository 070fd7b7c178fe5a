"""Hearing what a voice sounds like, at once if it was ever heard before."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.jobs import Job
from modules.tools.jobs import PREVIEW, submit_preview
from modules.tools.services import Services
from modules.tools.voices.previews import find_preview
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import audio_player


class VoicePreview:
    """A player, and the job that makes what is not there yet."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._player = audio_player("How it sounds", visible=False, autoplay=True)
        self._jobs = JobsView(services, (PREVIEW,))
        self._jobs.on_finished(_played, [], [self._player])

    @property
    def outputs(self) -> list[Any]:
        """What `hear` gives values for."""
        return [self._player, self._jobs.job_id]

    def hear(self, model_id: str, voice: str, language: str) -> list[Any]:
        """Plays the preview of a voice or mix, or has it made. Raises BadInputError."""
        kept = find_preview(self._services, model_id, voice, language)
        if kept is not None:
            return [_update(str(kept), voice), gr.skip()]
        job = submit_preview(self._services, model_id, voice, language)
        return [gr.update(value=None, visible=False), job.id]


def _played(job: Job) -> Any:
    result = job.result or {}
    return _update(result["file"], result["voice"])


def _update(file: str, voice: str) -> Any:
    return gr.update(value=file, label=voice, visible=True)
