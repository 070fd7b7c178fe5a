"""Two takes side by side, each with a player, what differs in them, and a button that closes it."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.tools.services import Services
from modules.tools.speaking.take_comparison import compare_takes
from modules.ui.events import listen, script
from modules.ui.render import render
from modules.ui.widgets.parts import panel


class ComparisonPanel:
    """Hidden until `panel` gets what `show` returns."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.panel = panel(visible=False, script=script("comparison"))
        listen(self.panel.select, self.hide, [], [self.panel], queue=False)

    def show(self, first_id: str, second_id: str) -> Any:
        """Raises NotFoundError, and BadInputError for a take and itself."""
        compared = compare_takes(self._services, first_id, second_id)
        return gr.update(value=render("comparison", compared=compared), visible=True)

    def hide(self) -> Any:
        return gr.update(value=Markup(), visible=False)
