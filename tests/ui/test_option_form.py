"""The form with the options of an engine: which controls it has, and what becomes of its values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.options import option, parse_options
from modules.ui.widgets.option_form import OptionForm
from tests.helpers.fakes import SineOptions
from tests.ui.page_client import FORM


@dataclass(frozen=True)
class OtherOptions:
    language: str = option("en", "Language", "Of the text.")
    style: str = option("calm", "Style", "How.", choices=("calm", "loud"))
    steps: int = option(10, "Steps", "How many.", minimum=1, maximum=50)
    note: str = option("", "Note", "Anything.")
    limit: int = option(5, "Limit", "Without a range.")
    rate: float = option(0.1, "Rate", "Over decades.", minimum=1e-6, maximum=1.0)


def make_form(**how: Any) -> OptionForm:
    with gr.Blocks():
        return OptionForm([SineOptions, OtherOptions], leave_out=["language", "seed"], **how)


def test_kinds_of_controls_follow_from_the_field() -> None:
    found = FORM.search(make_form().component.js_on_load)
    assert found
    fields = json.loads(found[1])
    drawn = {field["name"]: field for field in fields["OtherOptions"]}
    assert "language" not in drawn
    kinds = {name: (field["type"], field["slider"]) for name, field in drawn.items()}
    assert kinds == {
        "style": ("menu", False),
        "steps": ("number", True),
        "note": ("text", False),
        "limit": ("number", False),
        "rate": ("number", False),
    }
    assert drawn["style"]["offered"] == ["calm", "loud"]
    steps = drawn["steps"]
    assert (steps["minimum"], steps["maximum"], steps["step"], steps["whole"]) == (1, 50, 1, True)
    assert [f["type"] for f in fields["SineOptions"] if f["name"] == "steady"] == ["switch"]


def test_what_was_not_chosen_has_its_default_and_other_kinds_are_left_alone() -> None:
    form = make_form()
    value = {"SineOptions": {"speed": 1.5}, "OtherOptions": {"steps": 3}}
    assert form.read(SineOptions, value) == {"speed": 1.5, "steady": False}
    other = form.read(OtherOptions, value)
    assert parse_options(OtherOptions, other) == OtherOptions(steps=3)
    filled = form.fill(value, OtherOptions, {"note": "slowly"})
    assert filled == {**value, "OtherOptions": {**other, "note": "slowly"}}


def test_a_form_kept_by_a_browser_from_another_version_is_read() -> None:
    form = make_form()
    for value in (None, {}, {"OtherOptions": None}, {"Gone": {"a": 1}}):
        assert form.read(OtherOptions, value)["steps"] == 10
    assert "gone" not in form.read(OtherOptions, {"OtherOptions": {"gone": 1}})
    assert form.read(int, {"int": {"a": 1}}) == {}


def test_the_kind_on_show_changes_without_a_change_of_what_was_chosen() -> None:
    form = make_form(chosen=OtherOptions, start={"steps": 7})
    assert form.component.value == {"OtherOptions": {"steps": 7}}
    assert form.component.label == "OtherOptions"
    assert form.component.props == {}, "gr.skip would erase them"
    assert form.show(SineOptions) == gr.update(label="SineOptions")
    assert form.show(None) == gr.update(label="")
    filled = form.show(SineOptions, {"speed": 2.0})
    assert filled["value"] == {"SineOptions": {"speed": 2.0, "steady": False}}
