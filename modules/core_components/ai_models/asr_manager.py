"""`ASRManager`: the models that transcribe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.engines.base import ASREngine
from modules.core_components.ai_models.engines.speaker_handle import (
    SpeakerEncoderHandle,
    find_speaker_encoder,
)
from modules.core_components.settings import Settings

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.diarization.engine import DiarizationEngine
    from modules.core_components.ai_models.engines.vibevoice_asr.engine import VibeVoiceAsrEngine
    from modules.core_components.ai_models.engines.whisper import WhisperEngine

# faster-whisper's names for the newest large models; its other names are the catalog's own.
NEWEST_WHISPERS: Mapping[str, str] = {"large": "large-v3", "turbo": "large-v3-turbo"}


class ASRManager(BaseManager):
    """Handles on the listening engines; as with the TTSManager, nothing is loaded by a getter."""

    task = "speech-to-text"

    def device_preference(self, settings: Settings) -> str:
        return settings.listening_device or settings.device

    def get(self, model_id: str) -> ASREngine:
        engine: ASREngine = super().get(model_id)
        return engine

    def get_whisper(self, size: str = "base") -> WhisperEngine:
        """`size` is any name that faster-whisper knows, in capitals or not: "tiny", "tiny.en",
        "base", ... "large" (large-v3), "turbo" (large-v3-turbo), "distil-large-v3"."""
        name = size.strip().lower()
        engine: WhisperEngine = super().get(f"whisper-{NEWEST_WHISPERS.get(name, name)}")
        return engine

    def get_vibevoice_asr(self) -> VibeVoiceAsrEngine:
        """Names the speakers; up to an hour at once."""
        engine: VibeVoiceAsrEngine = super().get("vibevoice-asr")
        return engine

    def get_speaker_encoder(self) -> SpeakerEncoderHandle[Any]:
        """Compares voices: `.embed(speech)` is a unit vector, float32 (`find_speaker_encoder`).

        Cosines of different encoders must not be compared; its `model_id` says which it is.
        """
        return find_speaker_encoder(self.context)

    def get_diarization(self) -> DiarizationEngine:
        """Tells speakers apart, whatever they say."""
        engine: DiarizationEngine = self.context.engine("speaker-segmentation")
        return engine

    @property
    def whisper_available(self) -> bool:
        """Whether some size of Whisper can be used now."""
        return any(self.available(i) for i in self.engine_ids() if i.startswith("whisper-"))
