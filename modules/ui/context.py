"""What every tab is given: the services, the page it belongs to, and the scripts it uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from modules.tools.services import Services
from modules.ui.handlers import listen

STATIC = Path(__file__).parent / "static"


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
        sequence: str | None = None,
        unlocks: Sequence[Any] = (),
    ) -> None:
        """Calls `work` each time its tab is chosen, the first tab also when the page is opened.

        Components in `unlocks` need that answer (a button that sends the values of menus, say).
        They are disabled until the first answer has arrived; then the browser enables them, without
        asking the server.
        """
        for component in unlocks:
            component.interactive = False
        is_first = tab.parent is not None and tab.parent.children[0] is tab
        for event in (self.page.load, tab.select) if is_first else (tab.select,):
            answered = listen(event, work, inputs, outputs, unchecked=unchecked, sequence=sequence)
            if unlocks:
                enable = script("unlock", COUNT=len(unlocks))
                listen(answered.then, None, [], unlocks, js=enable, queue=False)


def script(name: str, **constants: Any) -> str:
    """`static/js/<name>.js`, its upper-case constants replaced by these values."""
    text = (STATIC / "js" / f"{name}.js").read_text(encoding="utf-8").strip()
    for constant, value in constants.items():
        text = text.replace(constant, str(value))
    return text
