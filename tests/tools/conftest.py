"""A studio on fakes for the tools' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components.ai_models import reset_managers
from modules.tools.services import Services
from tests.helpers.fakes import fake_studio


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services, engine = fake_studio(tmp_path)
    yield services
    engine.may_speak.set()
    services.close()
    reset_managers()
