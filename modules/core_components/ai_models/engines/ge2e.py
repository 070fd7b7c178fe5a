"""The GE2E speaker encoder of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.speaker_handle import SpeakerEncoderHandle

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder

REQUIRED_PACKAGES = ("torch", "soxr")
WEIGHTS = "pretrained.pt"


def create(entry: ModelEntry, context: EngineContext) -> SpeakerEncoderHandle[SpeakerEncoder]:
    """The engine factory of the catalog."""
    return SpeakerEncoderHandle(entry, context, WEIGHTS, _load)


def _load(weights: Path, device: str) -> SpeakerEncoder:
    from modules.core_components.ai_models.engines.ge2e_network import load_speaker_encoder

    return load_speaker_encoder(weights, device)
