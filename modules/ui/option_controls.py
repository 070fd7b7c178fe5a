"""Sliders, boxes and menus drawn from what an engine says about its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.base import OptionField, describe_options

# A slider over more than this factor cannot be set to a small value by hand.
_WIDEST_SLIDER = 1000
# Part of every request, with controls of their own beside the engine's; pronunciations come from
# the dictionary.
EVERYWHERE = ("language", "seed", "pronunciations")


class OptionControls:
    """The controls of several engines, of which those of the chosen one are visible.

    `components` goes into a handler's inputs; `read` turns their values back into the options.
    """

    def __init__(self, options_types: Mapping[str, type], chosen: str) -> None:
        self._fields: dict[str, list[OptionField]] = {}
        self._groups: dict[str, Any] = {}
        self.components: list[Any] = []
        for model_id, options_type in options_types.items():
            fields = [
                item for item in describe_options(options_type) if item.name not in EVERYWHERE
            ]
            self._fields[model_id] = fields
            with gr.Group(visible=model_id == chosen) as group:
                self.components += [option_control(item) for item in fields]
            self._groups[model_id] = group

    @property
    def groups(self) -> list[Any]:
        """One group for each engine, in the order of `show`."""
        return list(self._groups.values())

    def show(self, chosen: str) -> list[Any]:
        """Updates for `groups`: only the chosen engine's are visible."""
        return [gr.update(visible=model_id == chosen) for model_id in self._groups]

    def read(self, chosen: str, values: Sequence[Any]) -> dict[str, Any]:
        """The chosen engine's options from the values of all `components`."""
        start = 0
        for model_id, fields in self._fields.items():
            if model_id == chosen:
                own = values[start : start + len(fields)]
                return {item.name: value for item, value in zip(fields, own, strict=True)}
            start += len(fields)
        return {}


def option_control(item: OptionField, value: Any = None) -> Any:
    """The component that fits an option: its kind follows from default, range and choices."""
    about = {
        "label": item.label,
        "info": item.help,
        "value": item.default if value is None else value,
    }
    if isinstance(item.default, bool):
        return gr.Checkbox(**about)
    if item.choices:
        return gr.Dropdown(choices=list(item.choices), **about)
    if isinstance(item.default, (int, float)):
        whole = isinstance(item.default, int)
        if item.minimum is None or item.maximum is None or _spans_decades(item):
            return gr.Number(precision=0 if whole else None, **about)
        step = item.step or (1 if whole else 0.05)
        return gr.Slider(item.minimum, item.maximum, step=step, **about)
    return gr.Textbox(**about)


def _spans_decades(item: OptionField) -> bool:
    low, high = item.minimum or 0.0, item.maximum or 0.0
    return item.step is None and low > 0 and high / low > _WIDEST_SLIDER
