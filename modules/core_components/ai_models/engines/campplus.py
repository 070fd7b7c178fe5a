"""The CAM++ speaker encoder of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.speaker_handle import SpeakerEncoderHandle

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder

REQUIRED_PACKAGES = ("torch", "soxr")
WEIGHTS = "campplus_cn_en_common.pt"


def create(entry: ModelEntry, context: EngineContext) -> SpeakerEncoderHandle[CampplusEncoder]:
    """The engine factory of the catalog."""
    return SpeakerEncoderHandle(entry, context, WEIGHTS, _load)


def _load(weights: Path, device: str) -> CampplusEncoder:
    from modules.core_components.ai_models.engines.campplus_network import load_campplus

    return load_campplus(weights, device)
