"""A studio on fakes for the page's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components.ai_models import reset_managers
from modules.tools.services import Services
from tests.helpers.fakes import SineEngine, fake_studio

Fake = tuple[Services, SineEngine]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """The services and the speaking engine behind them."""
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "page"))
    services, engine = fake_studio(tmp_path)
    yield services, engine
    engine.may_speak.set()
    services.close()
    reset_managers()


@pytest.fixture
def services(fake: Fake) -> Services:
    return fake[0]
