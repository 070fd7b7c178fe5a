"""Which takes History lists: words, view, voice, engine, time and favourites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import gradio as gr

from modules.core_components.library.takes import TakeChoices, TakeFilter
from modules.core_components.texts import _, mark
from modules.ui.events import listen
from modules.ui.views import Studio

ANY = ""
# By the kind of a take, the view that makes such takes.
VIEWS = {
    "sample": mark("Voice Clone"),
    "preset": mark("Voice Presets"),
    "description": mark("Voice Design"),
    "script": mark("Conversation"),
}
TODAY = "today"
PERIODS = (
    (mark("Any time"), ANY),
    (mark("Today"), TODAY),
    (mark("Last 7 days"), "7"),
    (mark("Last 30 days"), "30"),
    (mark("Last 12 months"), "365"),
)


class Filters:
    """The boxes above the list. `inputs` are the arguments of `wanted` and `choices`; `outputs`,
    which `choices` gives values for, are the menus of what there is."""

    def __init__(self) -> None:
        self._search = gr.Textbox(
            value="",
            label=_("Search"),
            show_label=False,
            placeholder=_("Search texts and voices"),
            max_lines=1,
        )
        with gr.Row():
            self._kind = _menu(_("Made in"), [(_("All views"), ANY), *_swapped(VIEWS)])
            self._voice = _menu(_("Voice"), [(_("All voices"), ANY)])
            self._engine = _menu(_("Engine"), [(_("All engines"), ANY)])
            self._period = _menu(_("Made"), [(_(label), value) for label, value in PERIODS])
        self._favourites = gr.Checkbox(label=_("Favourites only"), value=False, container=False)
        menus = [self._kind, self._voice, self._engine, self._period]
        self.inputs = [self._search, *menus, self._favourites]
        self.outputs = [self._voice, self._engine]

    def keep(self, studio: Studio, tab: gr.Tab) -> None:
        """Keeps what does not depend on the takes that there are."""
        studio.keep(
            tab,
            search=self._search,
            made_in=self._kind,
            period=self._period,
            favourites=self._favourites,
        )

    def on_change(
        self, work: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], sequence: str
    ) -> None:
        """Calls `work` when any of the boxes was changed."""
        menus = [self._kind, self._voice, self._engine, self._period, self._favourites]
        # The "input" of a text comes before the page knows the new text.
        changes = [self._search.change, *(menu.input for menu in menus)]
        changed: Any = partial(gr.on, changes)
        changed.event_name = "input"
        listen(changed, work, inputs, outputs, sequence=sequence)


def wanted(
    search: str, kind: str, voice: str, engine: str, period: str, favourites: bool
) -> TakeFilter:
    """The filter that the boxes ask for; days begin at midnight, local time."""
    since = None
    if period:
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        since = midnight if period == TODAY else midnight - timedelta(days=int(period))
    return TakeFilter(search.strip(), kind or "", voice or "", engine or "", since, favourites)


def choices(known: TakeChoices, voice: str, engine: str) -> list[Any]:
    """Values for `Filters.outputs`: what is chosen stays, also where its last take was deleted."""
    return [
        _with_chosen(_("All voices"), known.voices, voice),
        _with_chosen(_("All engines"), known.engines, engine),
    ]


def _with_chosen(every: str, names: Sequence[str], chosen: str) -> Any:
    known = sorted({*names, chosen} - {ANY}, key=str.casefold) if chosen else names
    return gr.update(choices=[(every, ANY), *((name, name) for name in known)], value=chosen)


def _menu(label: str, offered: list[tuple[str, str]]) -> Any:
    return gr.Dropdown(offered, value=ANY, label=label, min_width=130)


def _swapped(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(_(label), value) for value, label in names.items()]
