"""What the cache of prepared voices holds, and a button that empties it."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from modules.tools.voices.prompt_cache import (
    PreparedVoices,
    clear_prepared_voices,
    prepared_voices,
)
from modules.ui.context import Studio
from modules.ui.handlers import tell
from modules.ui.widgets.confirmed_button import ConfirmedButton
from modules.ui.widgets.parts import panel, title
from modules.ui.widgets.snippets import badge, size_text, table_html

EMPTY = "No voice is prepared yet. The first sentence in the voice of a sample prepares it."
QUESTION = "Every voice is prepared anew when it is next spoken with."


class PromptCachePanel:
    """Looks again each time its tab is chosen."""

    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        title("Prepared voices")
        self._table = panel()
        clear = ConfirmedButton("Clear prepared voices", QUESTION, "Clear them")
        studio.on_show(tab, self._show, [], [self._table])
        clear.on_confirm(self._clear, [], [self._table])

    def _show(self) -> str:
        found = prepared_voices(self._services)
        rows = [(f"{item.model_id}@{item.revision}", _row(item)) for item in found]
        if len(found) > 1:
            total = size_text(sum(item.nbytes for item in found))
            rows.append(("", ["All", str(sum(item.count for item in found)), total]))
        return table_html(("Model", "Voices", "Size"), rows, "", EMPTY)

    def _clear(self) -> Any:
        tell(f"{size_text(clear_prepared_voices(self._services))} became free.")
        return self._show()


def _row(item: PreparedVoices) -> list[str]:
    stale = "" if item.current or not item.model_id else badge("not used any more", "warn")
    return [f"{html.escape(item.label)} {stale}", str(item.count), size_text(item.nbytes)]
