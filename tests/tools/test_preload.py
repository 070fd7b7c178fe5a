"""Loading ahead, when the settings ask for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modules.core_components.errors import ModelMissingError
from modules.tools.preload import preload
from modules.tools.services import Services
from tests.fakes import SineEngine


@pytest.fixture
def wished(services: Services) -> Services:
    services.settings = replace(services.settings, preload_model=True)
    return services


def test_nothing_is_loaded_unless_it_is_wished(services: Services) -> None:
    assert preload(services) is None


def test_the_default_model_is_loaded(wished: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr(SineEngine, "load", lambda self, cancel=None: loaded.append(self.model_id))
    thread = preload(wished)
    assert thread is not None
    thread.join(30)
    assert loaded == [wished.settings.tts_model]


def test_a_failure_is_logged_and_nothing_more(
    wished: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: SineEngine, cancel: object = None) -> None:
        raise ModelMissingError("It is gone.", "Get it.")

    monkeypatch.setattr(SineEngine, "load", fail)
    thread = preload(wished)
    assert thread is not None
    thread.join(30)
    assert "It is gone." in caplog.text
