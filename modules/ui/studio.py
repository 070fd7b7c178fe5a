"""The shell of the page: header and tabs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from modules.core_components.jobs import Job
from modules.core_components.version import APP_VERSION
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import submit_speech
from modules.ui.context import Studio
from modules.ui.handlers import listen, tell_errors
from modules.ui.tabs.conversation import tab as conversation
from modules.ui.tabs.dataset import tab as dataset
from modules.ui.tabs.history import tab as history
from modules.ui.tabs.models import tab as models
from modules.ui.tabs.settings import tab as settings
from modules.ui.tabs.train_xtts import tab as train_xtts
from modules.ui.tabs.transcribe import tab as transcribe
from modules.ui.tabs.voice_clone import tab as voice_clone
from modules.ui.tabs.voice_design import tab as voice_design
from modules.ui.tabs.voice_presets import tab as voice_presets
from modules.ui.theme import RESTORE_SHADE, SWITCH_SHADE
from modules.ui.widgets.parts import panel

# One stream of answers for as long as a page is open.
#
# Gradio's server closes the stream of a page whose events are all answered, and the browser opens
# another for the next event. When an event is sent at the very moment at which the server closes
# the stream, its answer can wait on the server, read by nobody, until something else is clicked.
# An event that never ends keeps the one stream open.


# So long a page that was closed still counts as open; each look is a message of a few bytes.
LOOK_S = 5.0


def hold_stream(page: gr.Blocks) -> None:
    """Keeps the stream of every page open; call it before anything else listens to the page."""
    page.load(
        _hold,
        show_progress="hidden",
        show_progress_on=[],
        concurrency_limit=None,
        api_visibility="private",
    )


async def _hold() -> AsyncIterator[None]:
    """Gradio ends it at the first look after the page was closed."""
    while True:
        yield
        await asyncio.sleep(LOOK_S)


# What programs may call: the page's own API, small and typed.
#
# `gradio_client` finds these by name; everything else on the page is private. Long work is a job
# here too: submit, then ask for its state.


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


TITLE = "Voice Clone Studio"
TABS = (
    voice_clone,
    voice_presets,
    conversation,
    voice_design,
    transcribe,
    dataset,
    train_xtts,
    models,
    history,
    settings,
)
# Copies that Gradio makes of what it plays: looked at every hour, removed after a day.
KEEP_COPIES_S = (3600, 86_400)


def build_studio(services: Services) -> gr.Blocks:
    """The whole page over the given services; no model is loaded for it."""
    # Uploads stay in the studio's own cache; Gradio knows no other way to say so.
    os.environ["GRADIO_TEMP_DIR"] = str(services.settings.cache_folder / "page")
    with gr.Blocks(
        title=TITLE, delete_cache=KEEP_COPIES_S, analytics_enabled=False, fill_width=True
    ) as page:
        hold_stream(page)
        _build_header()
        studio = Studio(services, page)
        with gr.Tabs():
            for tab in TABS:
                tab.build(studio)
        add_endpoints(services)
        listen(page.load, None, js=RESTORE_SHADE, queue=False)
    return page.queue(api_open=False, max_size=64)


def _build_header() -> None:
    with gr.Row():
        panel(
            f"<div class='studio-head'><h1>{TITLE}</h1>"
            f"<span>Everything stays on this machine · {APP_VERSION}</span></div>",
        )
        shade = gr.Button("Light / dark", size="sm", scale=0, min_width=110)
    listen(shade.click, None, js=SWITCH_SHADE, queue=False)
