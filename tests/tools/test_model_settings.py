"""Choices for single models, what a load says first, and the devices that settings may name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.context import EngineContext
from modules.core_components.ai_models.model_pool import HOST, ModelPool, ModelSpec
from modules.core_components.errors import BadInputError, NotFoundError, StudioError
from modules.core_components.model_settings import ModelSettings
from modules.core_components.progress import CancelToken
from modules.tools import model_library
from modules.tools.job_kinds import register_job_kinds, submit_load
from modules.tools.load_plans import load_plan, smaller_sizes
from modules.tools.model_settings import configure_model, model_choices
from modules.tools.services import Services, open_services
from tests.fakes import SINE, fake_entry

MB = 1_000_000
LARGE, SMALL = "tone-large", "tone-small"


class Tone:
    """A speaking engine whose weights are a word in the pool."""

    configurable = ("precision",)

    def __init__(self, entry: Any, context: EngineContext) -> None:
        self._entry, self._context = entry, context

    def model_spec(self) -> ModelSpec[str]:
        context = self._context
        precision = context.precision_preference
        return context.model_spec(
            self._entry, "r1", precision, load=lambda: f"{self._entry.id} in {precision}",
            measure=lambda _: self._entry.memory_mb * MB,
        )  # fmt: skip

    def load(self, cancel: CancelToken | None = None) -> None:
        with self._context.pool.lease(self.model_spec(), cancel, "loading"):
            return


@pytest.fixture
def studio(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Two tones of 700 and 400 MB in a pool that holds a thousand."""
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    pool = ModelPool({"cuda:0": 1000 * MB, "cuda:1": 500 * MB, HOST: 0}, reclaim=lambda: None)
    services.tts._own_pool = pool
    services.tts.configure(services.settings)
    for model_id, size_mb in ((LARGE, 700), (SMALL, 400)):
        entry = fake_entry(model_id, "text-to-speech", ("clone",))
        object.__setattr__(entry, "memory_mb", size_mb)
        services.tts.register_engine(model_id, Tone, entry)
    return services


def in_memory(services: Services) -> list[str]:
    return [model.key for model in model_library.in_memory(services)]


def test_a_load_says_first_what_leaves(studio: Services) -> None:
    model_library.load(studio, LARGE)
    plan = load_plan(studio, SMALL)
    assert plan is not None
    assert [one.name for one in plan.leaving] == [LARGE]
    job = studio.jobs.wait(submit_load(studio, SMALL).id, 20.0)
    assert job.state == "done"
    assert job.message == plan.in_words()
    assert in_memory(studio) == [f"{SMALL}@r1/auto/cuda:0"]


def test_what_does_not_fit_fails_before_it_is_loaded(studio: Services) -> None:
    configure_model(studio, LARGE, {"device": "cuda:1"})
    job = studio.jobs.wait(submit_load(studio, LARGE).id, 20.0)
    assert job.state == "failed"
    assert job.error == "tone-large takes 0.65 GiB, but models may only use 0.47 GiB on cuda:1."
    assert job.hint.startswith("Choose a smaller model")
    assert in_memory(studio) == []


def test_a_choice_is_kept_and_the_model_loaded_anew(studio: Services) -> None:
    model_library.load(studio, SMALL)
    configure_model(studio, SMALL, {"precision": "float32"})
    assert in_memory(studio) == [], "its weights are other ones now"
    model_library.load(studio, SMALL)
    assert in_memory(studio) == [f"{SMALL}@r1/float32/cuda:0"]
    configure_model(studio, SMALL, {"keep_loaded": True})
    assert in_memory(studio) == [f"{SMALL}@r1/float32/cuda:0"]
    kept = json.loads((studio.settings.root / "config.json").read_text())
    assert kept == {"model_settings": {SMALL: {"precision": "float32", "keep_loaded": True}}}
    assert studio.saved_settings().of_model(SMALL) == ModelSettings(
        precision="float32", keep_loaded=True
    )
    configure_model(studio, SMALL, {"precision": "", "keep_loaded": False})
    assert json.loads((studio.settings.root / "config.json").read_text()) == {}


def test_only_what_the_engine_has_is_offered(studio: Services) -> None:
    choices = model_choices(studio, SMALL)
    assert choices is not None
    assert (choices.precisions, choices.attentions) == (("auto", "float32", "bfloat16"), ())
    assert model_choices(studio, SINE) is None, "its weights are not in the pool"
    assert load_plan(studio, SINE) is None
    assert smaller_sizes(studio, LARGE) == ()


@pytest.mark.parametrize(
    ("model_id", "changes", "error"),
    [
        (SMALL, {"device": "cuda:9"}, StudioError),
        (SMALL, {"precision": "int3"}, BadInputError),
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
    [{"device": "cuda:9"}, {"listening_device": "tpu"}, {"gpu_memory_budgets": "cuda:2=8"}],
)
def test_settings_name_only_devices_that_are_here(
    studio: Services, changes: dict[str, str]
) -> None:
    with pytest.raises(StudioError, match="is not on this machine") as told:
        studio.change_settings(changes)
    assert "cuda:0, cuda:1, cpu" in told.value.hint
    assert not (studio.settings.root / "config.json").exists()


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Services]:
    (tmp_path / "config.json").write_text('{"device": "cpu", "listening_device": "cpu"}')
    services = open_services(tmp_path)
    register_job_kinds(services)
    yield services
    services.close()
    reset_managers()


def test_devices_are_read_at_the_start(restarted: Services) -> None:
    assert restarted.asr.context.device == restarted.tts.context.device == "cpu"
