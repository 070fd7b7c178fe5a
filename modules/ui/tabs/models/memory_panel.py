"""One model in memory, on the Models tab: what loading it would do, and how it is loaded."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from modules.core_components.errors import StudioError
from modules.core_components.model_settings import ATTENTIONS, PRECISIONS
from modules.tools.models.load_plans import load_plan, smaller_sizes
from modules.tools.models.model_settings import configure_model, model_choices
from modules.tools.services import Services
from modules.ui.handlers import error_html, listen, tell
from modules.ui.widgets.parts import panel

_AS_ALL = ("as for all models", "")
_NAMES = ("device", "precision", "attention_mechanism", "keep_loaded", "preload")


class ModelMemoryPanel:
    """Says what will leave memory for the chosen model, and offers the choices its engine has.

    Both need torch, which takes seconds to import: `follow` fills them in after the details.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def build(self) -> None:
        """The plan, and the choices under it; closed until somebody opens them."""
        self._plan = panel(visible=False)
        with gr.Accordion("How it is loaded", open=False, visible=False) as self._group:
            self._device = gr.Textbox(
                label="Device", info="Such as cuda:1 or cpu; empty: as for all models."
            )
            self._precision = _menu("Numbers", PRECISIONS)
            self._attention = _menu("Attention", ATTENTIONS)
            self._keep = gr.Checkbox(label="Keep in memory when idle")
            self._preload = gr.Checkbox(label="Load when the studio starts")
            self._save = gr.Button("Save", size="sm")

    @property
    def _fields(self) -> list[Any]:
        return [self._device, self._precision, self._attention, self._keep, self._preload]

    def follow(self, shown: Sequence[Any], chosen: Any) -> None:
        """Fills everything in after each of the listeners `shown`, for the model in `chosen`."""
        outputs = [self._plan, self._group, *self._fields]
        for listener in shown:
            listen(listener.then, self._show, [chosen], outputs)
        listen(self._save.click, self._keep_choices, [chosen, *self._fields], outputs)

    def _show(self, model_id: str) -> list[Any]:
        try:
            choices = model_choices(self._services, model_id) if model_id else None
        except StudioError:  # no engine, or a package is missing: the list says so
            choices = None
        if choices is None:
            return [gr.update(visible=False)] * 2 + [gr.skip()] * len(_NAMES)
        own = choices.chosen
        return [
            gr.update(value=self._plan_html(model_id), visible=True),
            gr.update(visible=True),
            own.device,
            gr.update(value=own.precision, visible=bool(choices.precisions)),
            gr.update(value=own.attention_mechanism, visible=bool(choices.attentions)),
            own.keep_loaded,
            own.preload,
        ]

    def _plan_html(self, model_id: str) -> str:
        try:
            plan = load_plan(self._services, model_id)
        except StudioError as error:  # its device is not here, or not one it can use
            return _card(error_html(error.message, error.hint), "bad")
        if plan is None:
            return ""
        if plan.fits:
            return _card(html.escape(plan.in_words()))
        smaller = smaller_sizes(self._services, model_id)
        hint = f"These would fit: {', '.join(smaller)}." if smaller else ""
        return _card(error_html(plan.in_words(), hint), "bad")

    def _keep_choices(self, model_id: str, *values: Any) -> list[Any]:
        given = dict(zip(_NAMES, values, strict=True))
        configure_model(self._services, model_id, {**given, "device": given["device"].strip()})
        tell("Saved.", "It holds from the model's next use.")
        return self._show(model_id)


def _card(words: str, kind: str = "plain") -> str:
    return f"<div class='studio-job {kind}'><div>{words}</div></div>"


def _menu(label: str, choices: Sequence[str]) -> Any:
    return gr.Dropdown(
        label=label, choices=[_AS_ALL, *((name, name) for name in choices)], value=""
    )
