"""Buttons that make a file only when it is asked for, then hand it to the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from modules.ui.handlers import listen

# The browser needs a moment to give the hidden link its new address.
CLICK_LINK = "() => setTimeout(() => document.getElementById('{link}').click(), 150)"


class DownloadButtons:
    """One small button for each format, drawn in the current row."""

    def __init__(self, formats: Sequence[str], element_id: str) -> None:
        self._buttons = {
            fmt: gr.Button(f"Download {fmt}", size="sm", min_width=110) for fmt in formats
        }
        self._link = gr.DownloadButton(elem_id=element_id, elem_classes="studio-hidden")
        self._click = CLICK_LINK.format(link=element_id)

    def on_download(self, make: Callable[..., Path], *keys: Any) -> None:
        """Each button hands out `make(format, *values of keys)`."""

        def made(fmt: str, *values: str) -> str:
            return str(make(fmt, *values))

        for fmt, button in self._buttons.items():
            ready = listen(button.click, partial(made, fmt), keys, [self._link])
            listen(ready.success, None, js=self._click, queue=False)
