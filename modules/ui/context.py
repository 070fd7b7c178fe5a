"""What every tab is given: the studio behind the page, and the page it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from modules.tools.services import Services
from modules.ui.handlers import listen

_UNLOCK = "() => Array({}).fill({{__type__: 'update', interactive: true}})"


@dataclass(frozen=True)
class Studio:
    """Handed to `build` of each tab."""

    services: Services
    page: gr.Blocks

    def on_open(
        self, work: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]
    ) -> None:
        """Calls `work` whenever the page is opened or reloaded."""
        listen(self.page.load, work, inputs, outputs)

    def on_show(
        self,
        tab: gr.Tab,
        work: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        unchecked: bool = False,
        line: str | None = None,
        unlocks: Sequence[Any] = (),
    ) -> None:
        """Calls `work` each time its tab is chosen, the first one by opening the page.

        What `unlocks` holds or sends on depends on the answer: it cannot be used before the first.
        """
        for component in unlocks:
            component.interactive = False
        is_first = tab.parent is not None and tab.parent.children[0] is tab
        for event in (self.page.load, tab.select) if is_first else (tab.select,):
            answered = listen(event, work, inputs, outputs, unchecked=unchecked, line=line)
            if unlocks:
                listen(answered.then, None, [], unlocks, js=unlocking(len(unlocks)), queue=False)


def unlocking(count: int) -> str:
    """The script that lets so many components be used."""
    return _UNLOCK.format(count)
