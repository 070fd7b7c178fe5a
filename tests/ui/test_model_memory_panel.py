"""What the Models tab says of one model in memory, before it is loaded and about how it is."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from modules.core_components.errors import StudioError
from modules.tools.models import library
from modules.tools.models.memory import load_plan, memory_needed
from modules.tools.models.recommendation import recommend
from modules.tools.services import Services
from modules.ui.tabs.models.panels import ModelMemoryPanel
from tests.helpers.fakes import LARGE_TONE, SINE, SMALL_TONE, add_tones


@pytest.fixture
def shown(services: Services) -> ModelMemoryPanel:
    add_tones(services, {"cpu": 1000})
    services.tts.configure(services.settings)
    with gr.Blocks():
        panel = ModelMemoryPanel(services)
        panel.build()
    return panel


def words(values: list[Any]) -> str:
    return str(values[0]["value"])


def test_it_says_what_leaves(shown: ModelMemoryPanel, services: Services) -> None:
    assert "0.65 GiB in main memory, which is free" in words(shown._show(LARGE_TONE))
    library.load(services, LARGE_TONE)
    assert "tone-large is in memory" in words(shown._show(LARGE_TONE))
    assert "tone-large (0.65 GiB, used just now) is unloaded first" in words(
        shown._show(SMALL_TONE)
    )


def test_every_view_has_the_same_figure(services: Services) -> None:
    add_tones(services, {"cpu": 1000})
    for _ in range(2):  # before and after it was loaded
        plan = load_plan(services, LARGE_TONE)
        assert plan is not None
        needed = memory_needed(services, services.tts.entry(LARGE_TONE))
        (advised,) = (one for one in recommend(services) if one.model_id == LARGE_TONE)
        assert needed == plan.nbytes == advised.memory_bytes
        library.load(services, LARGE_TONE)
    (resident,) = (one for one in library.in_memory(services) if one.label == LARGE_TONE)
    assert resident.nbytes == needed
    assert memory_needed(services, services.tts.entry(SINE)) == 1_000_000  # it has no weights


def test_what_can_never_fit_is_said_in_red(shown: ModelMemoryPanel, services: Services) -> None:
    services.tts.pool.configure({"cpu": 500_000_000})
    told = words(shown._show(LARGE_TONE))
    assert "studio-job bad" in told
    assert "takes 0.65 GiB, but models may only use 0.47 GiB in main memory" in told


def test_choices_are_those_of_the_engine(shown: ModelMemoryPanel) -> None:
    _, group, device, precision, attention, keep, preload = shown._show(SMALL_TONE)
    assert group["visible"]
    assert (device, keep, preload) == ("", False, False)
    assert (precision["visible"], attention["visible"]) == (True, False)
    plan, group, *_ = shown._show(SINE)  # it has no weights
    assert not plan["visible"]
    assert not group["visible"]
    assert not shown._show("")[0]["visible"]


def test_what_is_chosen_is_kept(shown: ModelMemoryPanel, services: Services) -> None:
    after = shown._save_choices(SMALL_TONE, " cpu ", "float32", "", True, False)
    assert (after[2], after[3]["value"], after[5]) == ("cpu", "float32", True)
    assert services.settings.of_model(SMALL_TONE).chosen() == {
        "device": "cpu",
        "precision": "float32",
        "keep_loaded": True,
    }
    with pytest.raises(StudioError, match="cuda:9"):
        shown._save_choices(SMALL_TONE, "cuda:9", "float32", "", True, False)
