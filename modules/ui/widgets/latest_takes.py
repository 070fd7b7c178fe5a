"""The takes that were made last, below the one on show: to show, mark, compare and delete them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.texts import _
from modules.core_components.values import Take
from modules.tools.services import Services
from modules.ui.events import listen, notify, script
from modules.ui.render import empty_html, render
from modules.ui.widgets import parts
from modules.ui.widgets.comparison_panel import ComparisonPanel

# Of the listeners that show a take.
LATEST = "latest-takes"
MOST_LATEST = 6


class LatestTakes:
    """A list whose `panel` is drawn with `html`, with the comparison of two takes above it.

    `listen_to` tells which take is on show and how another one is shown.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._comparison = ComparisonPanel(services)
        self.panel = parts.panel(
            empty_html(_(parts.LOADING)), script=script("take_list", VIEW="''")
        )
        # The id in the trash of what was deleted last.
        self._deleted = gr.State("")

    def listen_to(
        self, chosen: Any, show: Callable[[Take | None], list[Any]], shown: Sequence[Any]
    ) -> None:
        """`chosen` holds the id of the take on show; `show` gives values for `shown`, which shows
        one, or none."""
        unchanged = [gr.skip()] * len(shown)

        def act(made: gr.EventData, chosen: str, deleted: str) -> list[Any]:
            """What was pressed: a row, its star, one of its buttons, or the one above them."""
            takes, action = self._services.takes, getattr(made, "act", "show")
            now, comparison = unchanged, gr.skip()
            if action == "show":
                now, chosen = show(takes.get(made.id)), made.id
            elif action == "star":
                takes.mark_favourite(made.id, bool(made.on))
            elif action == "compare":
                comparison = self._comparison.show(chosen, made.id)
            elif action == "delete":
                deleted, comparison = takes.delete(made.id), self._comparison.hide()
                if made.id == chosen:
                    now, chosen = show(None), ""
            elif action == "undo":
                restored, deleted = takes.restore(deleted), ""
                if not chosen:  # nothing is on show since it was deleted
                    now, chosen = show(restored), restored.id
                notify(_("The take is restored."))
            return [*now, self.html(chosen, deleted), comparison, deleted]

        outputs = [*shown, self.panel, self._comparison.panel, self._deleted]
        asked = [chosen, self._deleted]
        listen(self.panel.select, act, asked, outputs, sequence=LATEST)

    def html(self, chosen: str, deleted: str = "") -> Markup:
        """The list with the row of the take on show marked; nothing before the first take."""
        rows = [(take.id, take) for take in self._services.takes.list(MOST_LATEST)]
        if not rows and not deleted:
            return Markup()
        return render("latest_takes", rows=rows, chosen=chosen, deleted=bool(deleted))
