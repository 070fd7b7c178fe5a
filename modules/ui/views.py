"""What each view is given: the services, and what happens when the page or the view is opened.

What is typed and chosen survives a reload, a crash and a restart of the studio: the browser keeps
it, each of its tabs its own, and a new tab begins with what was written last in any. (Gradio's
`BrowserState` has one place for all tabs of a browser and asks the server at every change.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gradio as gr

from modules.core_components.errors import StudioError
from modules.tools.services import Services
from modules.ui.events import listen, listen_after, script, warn
from modules.ui.widgets.parts import hidden_text

Event = Callable[..., Any]


# What the page does when it is opened, and whatever must come after that.
OPENING = "opening"


@dataclass(frozen=True)
class _Opened:
    """What is done on the server when the page is opened: one of `Opening`'s many."""

    work: Callable[..., Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    def answer(self, values: Sequence[Any]) -> list[Any]:
        """One value for each output. What fails is shown, and leaves its outputs as they are."""
        unchanged = [gr.skip()] * len(self.outputs)
        try:
            answer = self.work(*values)
        except StudioError as error:
            warn([f"{error.message} {error.hint}"])
            return unchanged
        if len(self.outputs) == 1:
            return [answer]
        return unchanged if answer == gr.skip() else list(answer)


class Opening:
    """What happens when the page is opened: first the browser gives back what was typed.

    Then follows, in one request, what the views need of the server, and what must come apart.
    """

    def __init__(self) -> None:
        self._views: dict[str, dict[str, Any]] = {}
        self._opened: list[_Opened] = []
        self._waiting: list[Callable[[Event], Any]] = []
        self._searches: list[tuple[Callable[[], str], Any]] = []

    def keep(self, view: str, **components: Any) -> None:
        """Has the browser keep the values of a view's components, under these names.

        The choices of a menu come later (see `parts.menu`), and its value is checked then. A value
        that is no choice of any other component is dropped.
        """
        self._views.setdefault(view, {}).update(components)

    def call(self, work: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Calls `work` together with all others that need no event of their own."""
        self._opened.append(_Opened(work, tuple(inputs), tuple(outputs)))

    def find_job(self, search: Callable[[], str], job_id: Any) -> None:
        """Puts the id that `search` finds, if any, into the state `job_id`.

        A state that is among the outputs of a listener counts as changed the first time, and each
        change is another request: so it is an output only where a job was found.
        """
        self._searches.append((search, job_id))

    def after_restoring(self, follow: Callable[[Event], Any]) -> None:
        """Calls `follow` with the event that follows the restored values."""
        self._waiting.append(follow)

    def listen(self, page: gr.Blocks, from_browser: Any) -> None:
        """Registers the listeners. To be called once, when all views are drawn."""
        restored = self._listen_to_loading(page)
        for follow in self._waiting:
            follow(restored.success)
        # On the page itself: what stands in a view that was not opened yet reports no change.
        found = [hidden_text() for _unused in self._searches]
        for box, (_unused, job_id) in zip(found, self._searches, strict=True):
            listen(box.change, lambda job: job, [box], [job_id])
        outputs = [*found, *self._outputs]
        listen_as_opened(restored.success, self._answer, from_browser, self._inputs, outputs)
        listen(restored.success, None, [], [], js=script("page_opened"), queue=False)
        for view, components in self._views.items():
            self._listen_to_changes(view, components)

    def _listen_to_changes(self, view: str, components: dict[str, Any]) -> None:
        """Has the values kept when a text changes, and when `navigation.js` presses the button.

        The page looks through all listeners for each of its components when it is opened: one for
        each of the two hundred that are kept would take most of a second.
        """
        keep = gr.Button("Keep", elem_id=f"keep-{view}", elem_classes="studio-hidden")
        # Also of what is not typed but brought by an answer (see `parts.mirror`).
        kinds = (gr.Textbox, gr.JSON)
        texts = [part.change for part in components.values() if isinstance(part, kinds)]
        names = json.dumps(list(components))
        listen(
            partial(gr.on, [keep.click, *texts]),
            None,
            list(components.values()),
            [],
            js=script("keep_draft", VIEW=json.dumps(view), NAMES=names),
            queue=False,
        )

    def _listen_to_loading(self, page: gr.Blocks) -> Any:
        kept = [
            (view, name, component)
            for view, components in self._views.items()
            for name, component in components.items()
        ]
        fields = json.dumps([(view, name, _choices(component)) for view, name, component in kept])
        components = [component for *_unused, component in kept]
        restore = script("restore_drafts", FIELDS=fields)
        return listen(page.load, None, [], components, js=restore, queue=False)

    @property
    def _inputs(self) -> list[Any]:
        return [component for opened in self._opened for component in opened.inputs]

    @property
    def _outputs(self) -> list[Any]:
        return [component for opened in self._opened for component in opened.outputs]

    def _answer(self, *values: Any) -> list[Any]:
        answers: list[Any] = [search() for search, _unused in self._searches]
        rest = list(values)
        for opened in self._opened:
            own, rest = rest[: len(opened.inputs)], rest[len(opened.inputs) :]
            answers += opened.answer(own)
        return answers


def listen_as_opened(
    event: Event,
    work: Callable[..., Any],
    from_browser: Any,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    sequence: str = OPENING,
) -> None:
    """Calls `work` for a page that is just opened; its id comes first (see `modules.ui.pages`)."""
    answered = listen(
        event,
        work,
        [from_browser, *inputs],
        outputs,
        sequence=sequence,
        js=script("page_id", COUNT=len(inputs) + 1),
        opens=True,
    )
    _report_answer(answered, "", [])


def _report_answer(answered: Any, view: str, unlocks: Sequence[Any]) -> None:
    """Has the browser enable `unlocks`, and open the view for clicks if nothing else is awaited."""
    report = script("view_answered", VIEW=json.dumps(view), COUNT=len(unlocks))
    listen_after(answered, None, [], unlocks, js=report, queue=False)


@dataclass(frozen=True)
class VoiceChooser:
    """How a voice is chosen in a view from outside: `values(voice, model_id, language)` are the
    values of `outputs` for it, as they stand before the view is shown."""

    outputs: Sequence[Any]
    values: Callable[[str, str, str], Sequence[Any]]


def _choices(component: Any) -> list[Any] | None:
    """The values that a component can have; None where all can be, or its choices come later."""
    choices = getattr(component, "choices", None) or ()
    return [value for _unused, value in choices] if len(choices) > 1 else None


@dataclass(frozen=True)
class Studio:
    """Handed to each view when it is drawn."""

    services: Services
    page: gr.Blocks
    # Holds nothing: its place among the inputs of a listener is where the browser puts a value.
    from_browser: gr.Textbox
    opening: Opening = field(default_factory=Opening)
    # By the id of the view; of the views that are drawn already.
    choosers: dict[str, VoiceChooser] = field(default_factory=dict)
    # By the id of the view: the listener that is called first when it is shown.
    _selected: dict[str, Any] = field(default_factory=dict)

    def keep(self, tab: gr.Tab, **components: Any) -> None:
        """Keeps what is typed and chosen in these components of a view (see `Opening`)."""
        self.opening.keep(str(tab.id), **components)

    def on_open(
        self,
        work: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sequence: str | None = None,
    ) -> None:
        """Calls `work` whenever the page is opened or reloaded; the page's jobs are known to it.

        With a `sequence` in a request of its own, in that order; else with all others in one.
        """
        if sequence is None:
            self.opening.call(work, inputs, outputs)
            return
        self.opening.after_restoring(
            lambda event: listen_as_opened(
                event, work, self.from_browser, inputs, outputs, sequence
            )
        )

    def on_show(
        self,
        tab: gr.Tab,
        work: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        unchecked: bool = False,
        sequence: str | None = None,
        unlocks: Sequence[Any] = (),
    ) -> None:
        """Calls `work` each time its tab is chosen; the first one is once what was typed is back.

        Nothing can be done in the view before the first answer (see `navigation.js`), and
        components in `unlocks`, which need it (a button that sends the values of menus, say), are
        disabled until then.
        """
        for component in unlocks:
            component.interactive = False
        view = str(tab.id)
        answered = listen(
            self._shown(tab),
            work,
            inputs,
            outputs,
            unchecked=unchecked,
            sequence=sequence,
            js=script("view_asked", VIEW=json.dumps(view), COUNT=len(inputs)),
        )
        _report_answer(answered, view, unlocks)

    def _shown(self, tab: gr.Tab) -> Event:
        """The event that follows when a view is shown.

        Gradio's page waits for each listener of one event before it asks the next one. Those that
        follow on a success are asked together.
        """
        view = str(tab.id)
        if view not in self._selected:
            chosen = listen(tab.select, None, [], [], js="() => []", queue=False)
            self._selected[view] = chosen
        event: Event = self._selected[view].success
        return event

    def on_address(
        self, tab: gr.Tab, work: Callable[[str], Any], outputs: Sequence[Any], sequence: str
    ) -> list[Any]:
        """Calls `work(item)` when the address names an item of the view: `#/history/ITEM`.

        `work` is also called, with "", when the view is shown without one. Returns the dependencies
        of showing the view and of a changed address, as `listen` does. See `navigation.js`.
        """
        goto = gr.Button("Open", elem_id=f"item-{tab.id}", elem_classes="studio-hidden")
        view = str(tab.id)
        opened = []
        for event in (self._shown(tab), goto.click):
            answered = listen(
                event,
                work,
                [self.from_browser],
                outputs,
                sequence=sequence,
                js=script("address_item", VIEW=json.dumps(view)),
            )
            _report_answer(answered, view, [])
            opened.append(answered)
        return opened
