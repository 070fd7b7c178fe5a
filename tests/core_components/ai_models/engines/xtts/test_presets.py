"""Presets say what they set, and leave alone what their user set."""

from __future__ import annotations

import pytest

from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.ai_models.engines.xtts.training.plan import (
    ABOUT,
    CAREFUL,
    PRESETS,
    QUICK,
    STANDARD,
    TrainingPlan,
    departures,
    switched,
    with_preset,
)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_plan_that_can_be_trained(name: str) -> None:
    plan = parse_options(TrainingPlan, with_preset(name))
    assert {key: getattr(plan, key) for key in PRESETS[name]} == PRESETS[name]
    assert departures(name, with_preset(name)) == {}
    assert ABOUT[name]


def test_changing_the_preset_keeps_what_the_user_set() -> None:
    mine = {**with_preset(STANDARD), "batch_size": 2, "epochs": 7}
    careful = switched(STANDARD, CAREFUL, mine)
    assert (careful["batch_size"], careful["epochs"]) == (2, 7)
    assert careful["learning_rate"] == PRESETS[CAREFUL]["learning_rate"]
    assert departures(CAREFUL, careful) == {"Batch size": (4, 2), "Epochs": (30, 7)}


def test_going_back_takes_back_what_the_preset_had_set() -> None:
    assert switched(QUICK, STANDARD, with_preset(QUICK)) == with_preset(STANDARD)
