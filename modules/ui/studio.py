"""The whole page: navigation, views, and the endpoints that programs may call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.texts import _, mark
from modules.core_components.version import APP_VERSION
from modules.tools.services import Services
from modules.ui.endpoints import add_endpoints
from modules.ui.events import script
from modules.ui.pages import Pages
from modules.ui.render import render
from modules.ui.safety import upload_folder
from modules.ui.tabs.activity.tab import ActivityTab
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
from modules.ui.tabs.voices.tab import VoicesTab
from modules.ui.views import Studio
from modules.ui.widgets.parts import hidden_text, panel

TITLE = "Voice Clone Studio"


@dataclass(frozen=True)
class View:
    """One view of the page; its id is its address, `#/voice-clone`."""

    name: str
    group: str
    draw: Callable[[Studio, gr.Tab], Any]
    # Among those that a narrow window shows, which lists the others under "More".
    is_first_choice: bool = False

    @property
    def id(self) -> str:
        """The name in lower case, with hyphens."""
        return self.name.lower().replace(" ", "-")

    @property
    def label(self) -> str:
        """The name in the language of the page."""
        return _(self.name)


_GROUPS = SPEAK, RECORDINGS, STUDIO = mark("Speak"), mark("Recordings"), mark("Studio")
VIEWS = (
    View(mark("Voice Clone"), SPEAK, VoiceCloneTab, is_first_choice=True),
    View(mark("Voice Presets"), SPEAK, VoicePresetsTab, is_first_choice=True),
    View(mark("Conversation"), SPEAK, ConversationTab),
    # After the views in which it chooses a voice.
    View(mark("Voices"), SPEAK, VoicesTab),
    View(mark("Voice Design"), SPEAK, VoiceDesignTab),
    View(mark("Transcribe"), RECORDINGS, TranscribeTab, is_first_choice=True),
    View(mark("Dataset"), RECORDINGS, DatasetTab),
    View(mark("Train XTTS"), RECORDINGS, TrainTab),
    View(mark("Activity"), STUDIO, ActivityTab),
    View(mark("History"), STUDIO, HistoryTab, is_first_choice=True),
    View(mark("Models"), STUDIO, ModelsTab),
    View(mark("Settings"), STUDIO, SettingsTab),
)
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
        # Now, since Gradio draws up the whole page for its answer each time this is set.
        page.queue(api_open=False, max_size=64)
        from_browser = hidden_text(element_id="studio-from-browser")
        # Before anything else listens to the page.
        page.load(
            _hold_stream,
            show_progress="hidden",
            show_progress_on=[],
            concurrency_limit=None,
            api_visibility="private",
        )
        if pages is not None:
            page.unload(_closer(pages))
        studio = Studio(services, page, from_browser)
        panel(_navigation_html(), script=script("navigation"), element_id="navigation")
        with gr.Tabs(elem_id="views"):
            # Shown until what was typed is back: then the page shows the view of its address.
            gr.Tab(_("Opening"), id="opening")
            for view in VIEWS:
                with gr.Tab(view.label, id=view.id, elem_id=f"view-{view.id}") as tab:
                    view.draw(studio, tab)
        add_endpoints(services)
        studio.opening.listen(page, from_browser)
    return page


def _closer(pages: Pages) -> Callable[[gr.Request], None]:
    """What Gradio calls when the connection of a page has ended."""

    def close(request: gr.Request) -> None:
        pages.close(request.session_hash or "")

    return close


def _navigation_html() -> Markup:
    groups = {_(group): [view for view in VIEWS if view.group == group] for group in _GROUPS}
    further = sum(not view.is_first_choice for view in VIEWS)
    return render(
        "navigation", title=TITLE, version=APP_VERSION, groups=groups.items(), further=further
    )


async def _hold_stream() -> AsyncIterator[None]:
    """An event that never ends, which keeps the answers of a page in one stream.

    Gradio's server closes the stream of a page once all its events are answered, and the browser
    opens another for the next event. An event sent at that very moment could wait for its answer
    until the next click. Gradio ends this one at the first message after the page was closed.
    """
    while True:
        yield
        await asyncio.sleep(HOLD_S)
