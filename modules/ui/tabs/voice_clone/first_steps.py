"""Three cards for a new user, above all else: hear it now, use my voice, this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import StudioError
from modules.core_components.texts import _
from modules.tools.first_steps import (
    Machine,
    dismiss_first_steps,
    first_steps_wanted,
    first_voice,
    recommended_engine,
    this_machine,
)
from modules.tools.models.library import access_token
from modules.tools.models.recommendation import Recommendation
from modules.tools.services import Services
from modules.ui.events import listen, notify, script
from modules.ui.render import render
from modules.ui.views import Studio
from modules.ui.widgets.parts import panel

SEQUENCE = "first-steps"
ELEMENT_ID = "first-steps"
# The page is built once: for one that is opened after something was made, what was drawn into it
# stays hidden, before the first paint.
HIDE_DRAWN = f"<style>#{ELEMENT_ID}:not(:has(.answer)) {{ display: none; }}</style>"
# What a card asks for; the id of the model follows the last one.
HEAR, OWN, CHOOSE = "hear", "own", "choose:"
_LOOK, _DISMISS = "look", "dismiss"


class FirstSteps:
    """The cards; hidden where they are not wanted."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # What was found last: looking imports torch and may measure this machine.
        self._machine: Machine | None = None
        self._engine: Recommendation | None = None
        # There when the page is drawn, so that nothing moves when the answer comes.
        cards = self._cards() if first_steps_wanted(services) else ""
        self._panel = panel(
            cards, visible=bool(cards), script=script("first_steps"), element_id=ELEMENT_ID
        )

    def listen(
        self,
        studio: Studio,
        tab: gr.Tab,
        lead: Callable[[str], list[Any]],
        outputs: Sequence[Any],
        sample: gr.State,
    ) -> None:
        """`lead(action)` gives values for `outputs`; a new `sample` is something made."""
        studio.on_show(tab, self._show, [], [self._panel], sequence=SEQUENCE)
        listen(sample.change, self._show, [], [self._panel], sequence=SEQUENCE)

        def act(done: gr.EventData) -> list[Any]:
            data = done._data if isinstance(done._data, dict) else {}
            action = str(data.get("action", ""))
            led = lead(action)
            if action == _LOOK:
                self._machine, self._engine = this_machine(), self._recommended()
            if action == _DISMISS:
                dismiss_first_steps(self._services)
                notify(_("The first steps are dismissed."), _("Settings can show them again."))
            # What is said now is the first thing that is made.
            hides = action in (HEAR, _DISMISS)
            shown = gr.update(visible=False) if hides else self._show()
            return [shown, *led]

        listen(self._panel.select, act, [], [self._panel, *outputs], sequence=SEQUENCE)

    def _show(self) -> Any:
        """The cards; until the machine was looked at, the browser asks for that."""
        if not first_steps_wanted(self._services):
            return gr.update(visible=False)
        return gr.update(value=self._cards(is_answer=True), visible=True)

    def _cards(self, is_answer: bool = False) -> Markup:
        return render(
            "first_steps",
            voice=first_voice(self._services),
            machine=self._machine,
            engine=self._engine,
            needs_token=self._needs_token(),
            is_answer=is_answer,
        )

    def _needs_token(self) -> bool:
        """Whether the download waits for an access token; one may have been saved since."""
        engine = self._engine
        if engine is None or engine.is_installed or not engine.needs_token:
            return False
        return not access_token(self._services).saved

    def _recommended(self) -> Recommendation | None:
        try:
            return recommended_engine(self._services)
        except StudioError:  # of a device that is gone, say; the list of engines tells it
            return None
