"""The shell of the page: header and tabs."""

from __future__ import annotations

import os

import gradio as gr

from modules.core_components.version import APP_VERSION
from modules.tools.services import Services
from modules.ui.context import Studio
from modules.ui.endpoints import add_endpoints
from modules.ui.event_stream import hold_stream
from modules.ui.handlers import listen
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
