"""A mix of up to five voices with sliders, shown as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.tools.voices.own_voices import format_mix, parse_mix
from modules.tools.voices.preset_voices import PresetVoice
from modules.ui.events import listen
from modules.ui.render import render
from modules.ui.widgets.parts import note, panel

MOST_VOICES = 5
SHOWN_AT_FIRST = 2
LEAST_WEIGHT, MOST_WEIGHT = -1.0, 3.0
ABOUT = mark(
    "Weights are relative: 2 and 1 is two parts to one. A negative weight subtracts what is "
    "particular to a voice."
)


class VoiceMixer:
    """Rows of a voice and its weight; `mix` holds them as text, "" while no voice is chosen."""

    def __init__(self) -> None:
        self.mix = gr.State("")
        self._count = gr.State(SHOWN_AT_FIRST)
        self._rows: list[Any] = []
        self.menus: list[Any] = []
        self._weights: list[Any] = []
        for number in range(MOST_VOICES):
            self._build_row(number)
        self._more = gr.Button(_("Add a voice"), size="sm")
        self._text = panel(_mix_html([]))
        note(_(ABOUT))
        parts = [*self.menus, *self._weights]
        # By name, for `Studio.keep`.
        self.fields = {f"voice_{number}": menu for number, menu in enumerate(self.menus)}
        self.fields |= {f"weight_{number}": part for number, part in enumerate(self._weights)}
        for component in parts:
            listen(component.change, _read_rows, parts, [self.mix, self._text], sequence="mixer")
        listen(self._more.click, _add_row, [self._count], [self._count, *self._rows, self._more])

    def _build_row(self, number: int) -> None:
        with gr.Row(visible=number < SHOWN_AT_FIRST) as row:
            # Custom values: a voice in the menu may be deleted on another page meanwhile.
            self.menus.append(
                gr.Dropdown(
                    [],
                    value="",
                    label=_("Voice {number}", number=number + 1),
                    allow_custom_value=True,
                    min_width=150,
                )
            )
            self._weights.append(
                gr.Slider(
                    LEAST_WEIGHT,
                    MOST_WEIGHT,
                    value=1.0,
                    step=0.05,
                    label=_("Weight {number}", number=number + 1),
                    min_width=150,
                )
            )
        self._rows.append(row)

    def offer(self, voices: Sequence[PresetVoice]) -> list[Any]:
        """Updates for `menus`: every voice can be chosen in each."""
        choices = [("–", ""), *((_short_label(voice), voice.name) for voice in voices)]
        return [gr.update(choices=choices) for _unused in self.menus]


def checked_mix(mix: str) -> str:
    """The mix if it can be spoken. Raises BadInputError."""
    if not mix:
        raise BadInputError(_("The mix has no voice yet."), _("Choose at least one."))
    parse_mix(mix)
    return mix


def _short_label(voice: PresetVoice) -> str:
    """The label without its description; the name of a stock voice tells language and sex."""
    label = voice.label.partition(" · ")[0]
    return label if voice.is_own else f"{label} ({voice.name})"


def _read_rows(*values: Any) -> tuple[str, Markup]:
    names, weights = values[:MOST_VOICES], values[MOST_VOICES:]
    parts = [(name or "", float(weight or 0)) for name, weight in zip(names, weights, strict=True)]
    return format_mix(parts), _mix_html(parts)


def _mix_html(parts: Sequence[tuple[str, float]]) -> Markup:
    mix = format_mix(parts)
    shares: Sequence[tuple[str, float]] = ()
    problem = ""
    try:
        shares = parse_mix(mix) if mix else ()
    except BadInputError as error:
        problem = f"{error.message} {error.hint}"
    return render("mix", mix=mix, shares=shares, problem=problem)


def _add_row(count: int) -> list[Any]:
    count = min(count + 1, MOST_VOICES)
    rows = [gr.update(visible=number < count) for number in range(MOST_VOICES)]
    return [count, *rows, gr.update(visible=count < MOST_VOICES)]
