"""The options of an engine as a form: one component, however many options there are.

The page looks through all listeners for each of its components when it is opened: a component for
each option of every engine, on each view that speaks, took half of that time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.options import OptionField, describe_options
from modules.ui.events import script

# A slider with more steps than this, or over a larger factor, cannot be set by hand.
_WIDEST_SLIDER = 1000
_CONTROLS = {bool: "switch", int: "number", float: "number", str: "text"}


# The value of an `OptionForm`: by kind of options what was chosen.
Form = Mapping[str, Any] | None


class OptionForm:
    """The fields of several kinds of options, of which those of the chosen kind are on show.

    Models of one family share their options, and so their fields: one that is installed later has
    them at once. `component` goes into a handler's inputs; `read` turns its value back. Its `input`
    comes when a value was chosen, its `change` with each change.
    """

    def __init__(
        self,
        kinds: Sequence[type],
        chosen: type | None = None,
        start: Mapping[str, Any] | None = None,
        leave_out: Sequence[str] = (),
    ) -> None:
        """`start` has other values than the defaults for the chosen kind."""
        self._fields = {
            kind: [field for field in describe_options(kind) if field.name not in leave_out]
            for kind in kinds
        }
        drawn = {
            kind.__name__: [_drawn(field) for field in own] for kind, own in self._fields.items()
        }
        self.component = gr.HTML(
            {chosen.__name__: dict(start)} if chosen and start else {},
            html_template="",
            js_on_load=script("option_form", FIELDS=json.dumps(drawn)),
            apply_default_css=False,
            elem_classes=["studio-panel", "studio-options"],
            # Not on show: it tells the script which kind is. (What `gr.HTML` has of properties of
            # its own, `gr.skip` erases.)
            label=chosen.__name__ if chosen else "",
        )

    def has(self, kind: type, name: str) -> bool:
        """Whether options of that kind have one of that name."""
        return any(field.name == name for field in self._fields.get(kind, ()))

    def show(self, kind: type | None, options: Mapping[str, Any] | None = None) -> Any:
        """An update for `component`: the fields of that kind are shown.

        What was chosen stays, unless there are `options`: then all others have their defaults.
        """
        if kind is None:
            return gr.update(label="")
        if options is None:
            return gr.update(label=kind.__name__)
        return gr.update(label=kind.__name__, value=self.fill({}, kind, options))

    def fill(self, form: Form, kind: type, options: Mapping[str, Any]) -> Form:
        """A value for `component`: `form` with these options of that kind."""
        return {**(form or {}), kind.__name__: self.read(kind, form) | dict(options)}

    def read(self, kind: type, form: Form) -> dict[str, Any]:
        """The options of that kind from the value of `component`, unchecked.

        The browser keeps a form from one version of the studio to the next: names that are not
        known any more are left out.
        """
        own = (form or {}).get(kind.__name__) or {}
        fields = self._fields.get(kind, ())
        return {field.name: own.get(field.name, field.default) for field in fields}


def _drawn(field: OptionField) -> dict[str, Any]:
    """What `option_form.js` draws of an option: its control follows from default and range."""
    whole = isinstance(field.default, int)
    step = field.step or (1 if whole else 0.05)
    return {
        "name": field.name,
        "label": field.label,
        "help": field.help,
        "default": field.default,
        "type": "menu" if field.choices else _CONTROLS[type(field.default)],
        "offered": list(field.choices),  # gr.HTML takes words of its script for names of events
        "minimum": field.minimum,
        "maximum": field.maximum,
        "step": step,
        "whole": whole,
        "slider": _can_be_a_slider(field, step),
    }


def _can_be_a_slider(field: OptionField, step: float) -> bool:
    if field.minimum is None or field.maximum is None:
        return False
    low, high = field.minimum, field.maximum
    spans_decades = field.step is None and low > 0 and high / low > _WIDEST_SLIDER
    return not spans_decades and high - low <= _WIDEST_SLIDER * step
