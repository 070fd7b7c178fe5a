"""How the page listens: every handler goes through here, so every error is told the same way."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal

import gradio as gr

from modules.core_components.errors import StudioError

logger = logging.getLogger(__name__)

ShowProgress = Literal["full", "minimal", "hidden"]


def listen(
    event: Callable[..., Any],
    work: Callable[..., Any] | None,
    inputs: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
    show_progress: ShowProgress = "hidden",
    queue: bool = True,
    unchecked: bool = False,
    line: str | None = None,
    js: str | None = None,
) -> Any:
    """Runs `work` on a component's event, with errors told to the user and no public endpoint.

    `queue` False is for quick looks that cannot fail, which must not wait in line. `unchecked`
    hands over values as the browser sent them: a menu may still show what is gone by now, and
    what only refreshes it must not fail over that (no `gr.State` among the inputs then).
    Handlers of one `line` run one after the other, so that the last one asked has the last word.
    Returns Gradio's dependency, whose `.then` and `.success` chain further listeners.
    """
    return event(
        tell_errors(work) if work else None,
        inputs=inputs,
        outputs=outputs,
        show_progress=show_progress,
        # Without this the browser tells every output of every handler each time that one of them
        # begins or ends, with two walks over the whole page for each: minutes on a large page.
        show_progress_on=[] if show_progress == "hidden" else None,
        queue=queue,
        preprocess=not unchecked,
        concurrency_id=line,
        js=js,
        api_visibility="private",
    )


def tell_errors(work: Callable[..., Any]) -> Callable[..., Any]:
    """`work` with its StudioErrors shown as message and hint, and all others as a short apology."""

    @functools.wraps(work)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            return work(*arguments, **named)
        except StudioError as error:
            raise gr.Error(error_html(error.message, error.hint), print_exception=False) from error
        except Exception as error:
            logger.exception("A handler of the page failed")
            raise gr.Error(
                "Something went wrong that the studio did not expect. The log says more.",
                print_exception=False,
            ) from error

    return run


def tell(message: str, hint: str = "") -> None:
    """A passing note in the corner of the page."""
    gr.Info(error_html(message, hint))


def warn(messages: Sequence[str]) -> None:
    """Says what is not wrong but could be better."""
    for message in messages:
        gr.Warning(html.escape(message))


def error_html(message: str, hint: str) -> str:
    """Message and hint as harmless HTML: both may quote what a user typed."""
    told = html.escape(message)
    return f"{told}<br><small>{html.escape(hint)}</small>" if hint else told
