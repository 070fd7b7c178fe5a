from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from modules.core_components.ai_models.engines.base import describe_options, option, parse_options
from modules.ui.widgets.engine_panel import OptionControls, option_control
from tests.helpers.fakes import SineOptions


@dataclass(frozen=True)
class OtherOptions:
    language: str = option("en", "Language", "Of the text.")
    style: str = option("calm", "Style", "How.", choices=("calm", "loud"))
    steps: int = option(10, "Steps", "How many.", minimum=1, maximum=50)
    note: str = option("", "Note", "Anything.")
    limit: int = option(5, "Limit", "Without a range.")


def test_kinds_of_controls_follow_from_the_field() -> None:
    with gr.Blocks():
        drawn = {item.name: option_control(item) for item in describe_options(OtherOptions)}
        (steady,) = (
            option_control(item) for item in describe_options(SineOptions) if item.name == "steady"
        )
    assert isinstance(drawn["style"], gr.Dropdown)
    assert isinstance(drawn["steps"], gr.Slider)
    assert (drawn["steps"].minimum, drawn["steps"].maximum, drawn["steps"].step) == (1, 50, 1)
    assert isinstance(drawn["note"], gr.Textbox)
    assert isinstance(drawn["limit"], gr.Number)
    assert isinstance(steady, gr.Checkbox)


def test_values_go_to_the_chosen_engine_only() -> None:
    with gr.Blocks():
        controls = OptionControls([SineOptions, OtherOptions], SineOptions)
    values = [component.value for component in controls.components]
    assert controls.read(SineOptions, values) == {"speed": 1.0, "steady": False}
    other = controls.read(OtherOptions, values)
    assert parse_options(OtherOptions, other) == OtherOptions()
    assert "language" not in other
    assert controls.read(int, values) == {}
    assert [update["visible"] for update in controls.show(OtherOptions)] == [False, True]
