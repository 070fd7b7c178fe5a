"""Kokoro by version, as programs for its first servers call it: a few lines over the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modules.core_components.ai_models import get_tts_manager
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.kokoro.reading.languages import language_of
from modules.core_components.ai_models.engines.kokoro.wrapper import BUILDS
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch


class EngineSource(Protocol):
    """Gives engine handles by model id; `TTSManager` does."""

    def get(self, model_id: str) -> TTSEngine: ...


@dataclass(frozen=True)
class KokoroModel:
    """A version of Kokoro; the pool loads the weights at the first use and may take them back."""

    engine: TTSEngine

    async def forward(
        self, text: str, voice: str, lang_code: str, speed: float = 1.0, seed: int = 0
    ) -> AsyncIterator[torch.FloatTensor]:
        """The audio of `text` chunk by chunk, float32 [n] at 24 kHz, computed in a thread.

        `voice` is a name or a mix, `lang_code` any code of the language ("en", "en-gb", "a").
        Leaving the loop ends the work. Raises BadInputError, before the first chunk, for what
        cannot be spoken, and ModelMissingError where the model is not downloaded.
        """
        import torch

        language = language_of(lang_code).code
        given = {"language": language, "speed": speed, "seed": seed}
        options: Any = parse_options(self.engine.options_type, given)
        cancel = CancelToken()
        pieces = await asyncio.to_thread(self.engine.stream, text, voice, options, cancel)
        try:
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                yield torch.from_numpy(piece.samples)  # type: ignore[misc]
        finally:
            cancel.cancel()


class ModelManager:
    """Kokoro by version; `models` are those that were asked for."""

    def __init__(self, engines: EngineSource | None = None) -> None:
        """Without `engines`, those of the studio's own manager."""
        self.models: dict[str, KokoroModel] = {}
        self._engines = engines

    async def get_model(self, version: str = "v1.0") -> KokoroModel:
        """The model "v1.0" or "v0.19"; nothing is loaded yet. Raises BadInputError."""
        if version.removeprefix("v") not in BUILDS:
            known = ", ".join(f"v{name}" for name in BUILDS)
            raise BadInputError(
                _("There is no Kokoro {version!r}.", version=version),
                _("Choose one of {known}.", known=known),
            )
        if version not in self.models:
            if self._engines is None:
                self._engines = await asyncio.to_thread(get_tts_manager)
            engine = self._engines.get(f"kokoro-v{version.removeprefix('v')}")
            self.models[version] = KokoroModel(engine)
        return self.models[version]
