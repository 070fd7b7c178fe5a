"""Kokoro's versions by their names."""

from __future__ import annotations

from typing import Protocol

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.kokoro.versions import BUILDS
from modules.core_components.errors import BadInputError


class KnowsEngines(Protocol):
    """Whoever gives engine handles by model id; `TTSManager` does."""

    def get(self, model_id: str) -> TTSEngine: ...


class ModelManager:
    """Hands out Kokoro by version. The pool behind the handles loads, swaps and drops."""

    def __init__(self, engines: KnowsEngines) -> None:
        self._engines = engines

    def get_model(self, version: str = "v1.0") -> TTSEngine:
        """The handle on "v1.0" or "v0.19"; nothing is loaded yet. Raises BadInputError."""
        if version.removeprefix("v") not in BUILDS:
            known = ", ".join(f"v{name}" for name in BUILDS)
            raise BadInputError(f"There is no Kokoro {version!r}.", f"Choose one of {known}.")
        return self._engines.get(f"kokoro-v{version.removeprefix('v')}")
