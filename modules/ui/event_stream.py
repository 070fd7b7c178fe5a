"""One stream of answers for as long as a page is open.

Gradio's server closes the stream of a page whose events are all answered, and the browser opens
another for the next event. When an event is sent at the very moment at which the server closes
the stream, its answer can wait on the server, read by nobody, until something else is clicked.
An event that never ends keeps the one stream open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import gradio as gr

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
