"""Choices for single models, what a load says first, and the devices that settings may name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modules.core_components.errors import BadInputError, NotFoundError, StudioError
from modules.core_components.settings import ModelSettings
from modules.tools.models import library
from modules.tools.models.library import submit_load
from modules.tools.models.memory import (
    configure_model,
    load_plan,
    model_choices,
    report_load,
    smaller_sizes,
)
from modules.tools.services import Services
from tests.helpers.fakes import LARGE_TONE, SINE, SMALL_TONE, add_tones


@pytest.fixture
def studio(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Two tones of 700 and 400 MB; the GPUs hold 1000 and 500."""
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    add_tones(services, {"cuda:0": 1000, "cuda:1": 500})
    return services


def in_memory(services: Services) -> list[str]:
    return [model.key for model in library.in_memory(services)]


def test_a_load_says_first_what_leaves(studio: Services) -> None:
    library.load(studio, LARGE_TONE)
    plan = load_plan(studio, SMALL_TONE)
    assert plan is not None
    assert [one.name for one in plan.leaving] == [LARGE_TONE]
    job = studio.jobs.wait(submit_load(studio, SMALL_TONE).id, 20.0)
    assert job.state == "done"
    assert job.message == plan.in_words()
    assert in_memory(studio) == [f"{SMALL_TONE}@r1/auto/cuda:0"]


def test_work_says_it_too_before_it_begins(studio: Services) -> None:
    told: list[tuple[float, str]] = []
    report_load(studio.tts, studio.tts.get(LARGE_TONE), lambda *news: told.append(news))
    assert told == [(0.0, "Loading tone-large needs 0.65 GiB on GPU 0, which is free.")]
    library.load(studio, LARGE_TONE)
    report_load(studio.tts, studio.tts.get(LARGE_TONE), lambda *news: told.append(news))
    report_load(studio.tts, studio.tts.get(SINE), lambda *news: told.append(news))
    assert len(told) == 1, "there is nothing to be loaded"


def test_what_does_not_fit_fails_before_it_is_loaded(studio: Services) -> None:
    configure_model(studio, LARGE_TONE, {"device": "cuda:1"})
    job = studio.jobs.wait(submit_load(studio, LARGE_TONE).id, 20.0)
    assert job.state == "failed"
    assert job.error == "tone-large takes 0.65 GiB, but models may only use 0.47 GiB on GPU 1."
    assert job.hint.startswith("Choose a smaller model")
    assert in_memory(studio) == []


def test_a_choice_is_kept_and_the_model_loaded_anew(studio: Services) -> None:
    library.load(studio, SMALL_TONE)
    configure_model(studio, SMALL_TONE, {"precision": "float32"})
    assert in_memory(studio) == [], "its weights are other ones now"
    library.load(studio, SMALL_TONE)
    assert in_memory(studio) == [f"{SMALL_TONE}@r1/float32/cuda:0"]
    configure_model(studio, SMALL_TONE, {"keep_loaded": True})
    assert in_memory(studio) == [f"{SMALL_TONE}@r1/float32/cuda:0"]
    kept = json.loads((studio.settings.root / "config.json").read_text())
    assert kept == {"model_settings": {SMALL_TONE: {"precision": "float32", "keep_loaded": True}}}
    assert studio.saved_settings().of_model(SMALL_TONE) == ModelSettings(
        precision="float32", keep_loaded=True
    )
    configure_model(studio, SMALL_TONE, {"precision": "", "keep_loaded": False})
    assert json.loads((studio.settings.root / "config.json").read_text()) == {}


def test_only_what_the_engine_has_is_offered(studio: Services) -> None:
    choices = model_choices(studio, SMALL_TONE)
    assert choices is not None
    assert (choices.precisions, choices.attentions) == (("auto", "float32", "bfloat16"), ())
    assert model_choices(studio, SINE) is None, "its weights are not in the pool"
    assert load_plan(studio, SINE) is None
    assert smaller_sizes(studio, LARGE_TONE) == ()


@pytest.mark.parametrize(
    ("model_id", "changes", "error"),
    [
        (SMALL_TONE, {"device": "cuda:9"}, StudioError),
        (SMALL_TONE, {"precision": "int3"}, BadInputError),
        ("nobody", {"preload": True}, NotFoundError),
    ],
)
def test_what_cannot_be_chosen_changes_nothing(
    studio: Services, model_id: str, changes: dict[str, Any], error: type[StudioError]
) -> None:
    with pytest.raises(error):
        configure_model(studio, model_id, changes)
    assert not (studio.settings.root / "config.json").exists()


@pytest.mark.parametrize(
    "changes",
    [{"device": "cuda:9"}, {"listening_device": "tpu"}, {"gpu_memory_budgets": {"cuda:2": 8}}],
)
def test_settings_name_only_devices_that_are_here(
    studio: Services, changes: dict[str, str]
) -> None:
    with pytest.raises(StudioError, match="is not on this machine") as told:
        studio.change_settings(changes)
    assert "cuda:0, cuda:1, cpu" in told.value.hint
    assert not (studio.settings.root / "config.json").exists()
