"""Loading ahead, when the settings ask for it."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from modules.core_components.errors import ModelMissingError
from modules.core_components.settings import ModelSettings, change
from modules.tools.models.library import do_later, preload
from modules.tools.services import Services
from tests.helpers.fakes import ECHO, SINE, EchoListener, SineEngine
from tests.helpers.waiting import eventually

SOON_S = 20.0


@pytest.fixture
def wished(services: Services) -> Services:
    """A studio that loads its speaking model, and its listening one, at the start."""
    own = {ECHO: ModelSettings(preload=True), SINE: ModelSettings(keep_loaded=True)}
    services.settings = change(services.settings, preload_model=True, model_settings=own)
    return services


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was loaded, in order."""
    loaded: list[str] = []
    for engine in (SineEngine, EchoListener):
        load = lambda self, cancel=None: loaded.append(self.model_id)  # noqa: E731
        monkeypatch.setattr(engine, "load", load, raising=False)
    return loaded


def test_nothing_is_loaded_if_it_is_turned_off(services: Services) -> None:
    services.settings = change(services.settings, preload_model=False)
    assert preload(services) == ()


def test_a_default_model_that_is_not_installed_is_not_loaded(services: Services) -> None:
    services.settings = change(services.settings, tts_model="kokoro-v1.0")
    assert services.settings.preload_model
    assert preload(services) == ()


def test_it_waits_until_the_page_is_built(services: Services, loaded: list[str]) -> None:
    page_built = threading.Event()
    do_later(page_built, partial(preload, services))
    time.sleep(0.2)
    assert services.jobs.list() == ()
    page_built.set()
    eventually(lambda: loaded == [SINE])


def test_the_default_model_and_those_chosen_are_loaded(wished: Services, loaded: list[str]) -> None:
    jobs = preload(wished)
    assert [wished.jobs.wait(job.id, SOON_S).state for job in jobs] == ["done", "done"]
    assert loaded == [SINE, ECHO]


def test_a_failure_is_shown_and_stops_nothing_else(
    wished: Services, loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: SineEngine, cancel: object = None) -> None:
        raise ModelMissingError("It is gone.", "Get it.")

    monkeypatch.setattr(SineEngine, "load", fail)
    first, second = [wished.jobs.wait(job.id, SOON_S) for job in preload(wished)]
    assert (first.state, first.error, first.hint) == ("failed", "It is gone.", "Get it.")
    assert second.state == "done"
    assert loaded == [ECHO]
    again = [wished.jobs.wait(job.id, SOON_S) for job in preload(wished)]
    failures = wished.jobs.list(states=("failed",))
    assert [job.id for job in failures] == [again[0].id], "the next start's try takes its place"


def test_a_model_that_was_deleted_since_is_logged(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"gone-1": ModelSettings(preload=True)}
    services.settings = change(services.settings, preload_model=False, model_settings=own)
    assert preload(services) == ()
    assert "gone-1 is not loaded at the start" in caplog.text
