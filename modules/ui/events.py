"""Listening to what happens on the page, with all errors shown in one way."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_type_hints

import gradio as gr

from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.texts import _
from modules.ui.field_labels import field_labels
from modules.ui.pages import Pages, asked_by
from modules.ui.render import error_html

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
# By default Gradio's page drops an event while the same listener still answers the last one: three
# boxes unticked quickly, and only the first counts. A value is sent again once the answer is here;
# what was selected comes with the event, so each is sent. A button pressed twice is pressed once.
_MODES: Mapping[str, Literal["always_last", "multiple"]] = {
    "input": "always_last",
    "select": "multiple",
}
ShowProgress = Literal["full", "minimal", "hidden"]


def listen(
    event: Callable[..., Any],
    work: Callable[..., Any] | None,
    inputs: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
    show_progress: ShowProgress = "hidden",
    queue: bool = True,
    unchecked: bool = False,
    sequence: str | None = None,
    js: str | None = None,
    opens: bool = False,
) -> Any:
    """Runs `work` on a component's event; its errors are shown, and it is no public endpoint.

    `queue` False is for quick reads that cannot fail and must not wait. `unchecked` passes values
    on as the browser sent them: a menu may still show what was deleted, and what only refreshes it
    must not fail over that (no `gr.State` among the inputs then). Handlers of one `sequence` run
    one after the other, so that the result of the last one asked for is what stays. `opens` says
    that the browser sends the id of a page that is just opened as the first value (see `on_open`).
    Returns Gradio's dependency, whose `.success` chains further listeners (see `listen_after`).
    """
    return event(
        (for_opened_page if opens else for_page)(show_errors(work)) if work else None,
        inputs=inputs,
        outputs=outputs,
        show_progress=show_progress,
        # Without this the browser notifies every output of every handler each time one of them
        # begins or ends, with two walks over the whole page for each: minutes on a large page.
        show_progress_on=[] if show_progress == "hidden" else None,
        queue=queue,
        preprocess=not unchecked,
        concurrency_id=sequence,
        trigger_mode=_MODES.get(getattr(event, "event_name", "")),
        js=js,
        api_visibility="private",
    )


def listen_after(
    answered: Any, work: Callable[..., Any] | None, *arguments: Any, **named: Any
) -> None:
    """Runs `work` (see `listen`) after an answer, be it a result or an error.

    Gradio's `.then` promises that; but its page runs only `.failure` listeners after an error.
    """
    for event in (answered.success, answered.failure):
        listen(event, work, *arguments, **named)


def show_errors(
    work: Callable[..., Any], form: Callable[[str, str], str] | None = None
) -> Callable[..., Any]:
    """`work` with its StudioErrors as `form` makes them of message and hint (else as HTML that
    names the field at fault), and all others as a short apology."""

    @functools.wraps(work)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            return work(*arguments, **named)
        except StudioError as error:
            text = form(error.message, error.hint) if form else _error_html(error)
            raise gr.Error(text, print_exception=False) from error
        except Exception as error:
            logger.exception("A handler of the page failed")
            raise gr.Error(
                _("Something went wrong that the studio did not expect. See the log for details."),
                print_exception=False,
            ) from error

    return run


def _error_html(error: StudioError) -> str:
    faults = error.faults if isinstance(error, BadInputError) else ()
    if faults:
        return "<br>".join(map(_error_html, faults))
    about = error.about if isinstance(error, BadInputError) else ""
    return error_html(error.message, error.hint, about if about in field_labels() else "")


def for_page(work: Callable[..., Any]) -> Callable[..., Any]:
    """`work` in the name of the page that sent the event (see `modules.ui.pages`)."""

    def run(request: gr.Request, *arguments: Any) -> Any:
        pages = _pages(request)
        with asked_by(pages, pages.page_of(request.session_hash or "") if pages else ""):
            return work(*arguments)

    return _with_request(run, work)


def for_opened_page(work: Callable[..., Any]) -> Callable[..., Any]:
    """Like `for_page` for a page that is just opened and sends its id before the other inputs."""

    def run(request: gr.Request, page: str, *arguments: Any) -> Any:
        pages = _pages(request)
        if pages and request.session_hash:
            pages.open(request.session_hash, page)
        with asked_by(pages, page):
            return work(*arguments)

    return run


def _pages(request: gr.Request) -> Pages | None:
    """Those of the app that serves the request; None for a page that another app serves."""
    pages = getattr(request.request.app.state, "pages", None) if request.request else None
    return pages if isinstance(pages, Pages) else None


def _with_request(run: Callable[..., Any], work: Callable[..., Any]) -> Callable[..., Any]:
    """`run` with the parameters of `work`, by which Gradio knows what to pass, after its own."""
    signature = inspect.signature(work)
    first = inspect.Parameter("request", inspect.Parameter.POSITIONAL_ONLY, annotation=gr.Request)
    run.__name__ = getattr(work, "__name__", "run")
    try:
        hints = get_type_hints(work)
    except (NameError, TypeError):  # imported for type checking only, or no plain function
        hints = {}
    run.__annotations__ = {**hints, "request": gr.Request}
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[first, *signature.parameters.values()]
    )
    return run


def notify(message: str, hint: str = "") -> None:
    """Shows a short-lived message in the corner of the page."""
    gr.Info(error_html(message, hint))


def warn(messages: Sequence[str]) -> None:
    """Shows what is not wrong but could be better."""
    for message in messages:
        gr.Warning(error_html(message))


def script(name: str, **constants: Any) -> str:
    """`static/js/<name>.js` without its comments, its upper-case constants replaced by values."""
    lines = (STATIC / "js" / f"{name}.js").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("//"))
    for constant, value in constants.items():
        text = text.replace(constant, str(value))
    return text
