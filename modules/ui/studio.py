"""The whole page: header, tabs, and the endpoints that programs may call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable

import gradio as gr

from modules.core_components.version import APP_VERSION
from modules.tools.services import Services
from modules.ui.endpoints import add_endpoints
from modules.ui.events import Studio, listen, script
from modules.ui.pages import Pages
from modules.ui.render import render
from modules.ui.safety import upload_folder
from modules.ui.tabs.conversation.tab import ConversationTab
from modules.ui.tabs.dataset.tab import DatasetTab
from modules.ui.tabs.history.tab import HistoryTab
from modules.ui.tabs.models.tab import ModelsTab
from modules.ui.tabs.settings.tab import SettingsTab
from modules.ui.tabs.train_xtts.tab import TrainTab
from modules.ui.tabs.transcribe.tab import TranscribeTab
from modules.ui.tabs.voice_clone.tab import VoiceCloneTab
from modules.ui.tabs.voice_design.tab import VoiceDesignTab
from modules.ui.tabs.voice_presets.tab import VoicePresetsTab
from modules.ui.widgets.parts import panel

TITLE = "Voice Clone Studio"
TABS = {
    "Voice Clone": VoiceCloneTab,
    "Voice Presets": VoicePresetsTab,
    "Conversation": ConversationTab,
    "Voice Design": VoiceDesignTab,
    "Transcribe": TranscribeTab,
    "Dataset": DatasetTab,
    "Train XTTS": TrainTab,
    "Models": ModelsTab,
    "History": HistoryTab,
    "Settings": SettingsTab,
}
# Copies that Gradio makes of what it plays: checked every hour, removed after a day.
KEEP_COPIES_S = (3600, 86_400)
# A page that was closed counts as open for so long; each message takes a few bytes.
HOLD_S = 5.0


def build_studio(services: Services, pages: Pages | None = None) -> gr.Blocks:
    """The whole page over the given services; no model is loaded for it.

    `pages` learns which pages are closed.
    """
    # Uploads stay in the studio's own cache; Gradio takes the folder from this variable only.
    os.environ["GRADIO_TEMP_DIR"] = str(upload_folder(services))
    with gr.Blocks(
        title=TITLE, delete_cache=KEEP_COPIES_S, analytics_enabled=False, fill_width=True
    ) as page:
        page_id = gr.Textbox(value="", elem_id="studio-page-id", elem_classes="studio-hidden")
        # Before anything else listens to the page.
        page.load(
            _hold_stream,
            show_progress="hidden",
            show_progress_on=[],
            concurrency_limit=None,
            api_visibility="private",
        )
        _build_header()
        if pages is not None:
            page.unload(_closer(pages))
        studio = Studio(services, page, page_id)
        with gr.Tabs():
            for label, draw in TABS.items():
                with gr.Tab(label, id=label.lower().replace(" ", "-")) as tab:
                    draw(studio, tab)
        add_endpoints(services)
    return page.queue(api_open=False, max_size=64)


def _closer(pages: Pages) -> Callable[[gr.Request], None]:
    """What Gradio calls when the connection of a page has ended."""

    def close(request: gr.Request) -> None:
        pages.close(request.session_hash or "")

    return close


def _build_header() -> None:
    with gr.Row():
        panel(render("header", title=TITLE, version=APP_VERSION))
        theme = gr.Button("Light / dark", size="sm", scale=0, min_width=110)
    listen(theme.click, None, js=script("switch_theme"), queue=False)


async def _hold_stream() -> AsyncIterator[None]:
    """An event that never ends, which keeps the answers of a page in one stream.

    Gradio's server closes the stream of a page once all its events are answered, and the browser
    opens another for the next event. An event sent at that very moment could wait for its answer
    until the next click. Gradio ends this one at the first message after the page was closed.
    """
    while True:
        yield
        await asyncio.sleep(HOLD_S)
