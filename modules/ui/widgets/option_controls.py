"""Sliders, boxes and menus drawn from what an engine says about its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.base import OptionField, describe_options

# A slider with more steps than this, or over a larger factor, cannot be set by hand.
_WIDEST_SLIDER = 1000
# Part of every request, with controls of their own beside the engine's; pronunciations come from
# the dictionary.
EVERYWHERE = ("language", "seed", "pronunciations")


class OptionControls:
    """The controls of several kinds of options, of which those of the chosen one are visible.

    Models of one family share their options, and so their controls: one that arrives later has
    them at once. `components` goes into a handler's inputs; `read` turns their values back.
    """

    def __init__(self, options_types: Sequence[type], chosen: type | None) -> None:
        self._fields: dict[type, list[OptionField]] = {}
        self._groups: dict[type, Any] = {}
        self.components: list[Any] = []
        for options_type in options_types:
            fields = [
                item for item in describe_options(options_type) if item.name not in EVERYWHERE
            ]
            self._fields[options_type] = fields
            with gr.Group(visible=options_type is chosen) as group:
                self.components += [option_control(item) for item in fields]
            self._groups[options_type] = group

    @property
    def groups(self) -> list[Any]:
        """One group for each kind, in the order of `show`."""
        return list(self._groups.values())

    def show(self, chosen: type | None) -> list[Any]:
        """Updates for `groups`: only those of the chosen kind are visible."""
        return [gr.update(visible=options_type is chosen) for options_type in self._groups]

    def read(self, chosen: type, values: Sequence[Any]) -> dict[str, Any]:
        """The options of that kind from the values of all `components`."""
        start = 0
        for options_type, fields in self._fields.items():
            if options_type is chosen:
                own = values[start : start + len(fields)]
                return {item.name: value for item, value in zip(fields, own, strict=True)}
            start += len(fields)
        return {}

    def values(self, chosen: type, options: Mapping[str, Any]) -> list[Any]:
        """Values for `components`: the given options of the chosen kind; all others' defaults."""
        return [
            options.get(item.name, item.default) if options_type is chosen else item.default
            for options_type, fields in self._fields.items()
            for item in fields
        ]


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
        step = item.step or (1 if whole else 0.05)
        if item.minimum is None or item.maximum is None or _too_fine_for_a_slider(item, step):
            return gr.Number(precision=0 if whole else None, **about)
        return gr.Slider(item.minimum, item.maximum, step=step, **about)
    return gr.Textbox(**about)


def _too_fine_for_a_slider(item: OptionField, step: float) -> bool:
    low, high = item.minimum or 0.0, item.maximum or 0.0
    spans_decades = item.step is None and low > 0 and high / low > _WIDEST_SLIDER
    return spans_decades or high - low > _WIDEST_SLIDER * step
