"""`ASRManager`: the models that transcribe."""

from __future__ import annotations

from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.engines.base import ASREngine
from modules.core_components.ai_models.engines.ge2e import SpeakerEncoderHandle
from modules.core_components.settings import Settings


class ASRManager(BaseManager):
    """Handles on the listening engines; as with the TTSManager, nothing is loaded by a getter."""

    task = "speech-to-text"

    def device_preference(self, settings: Settings) -> str:
        return settings.listening_device or settings.device

    def get(self, model_id: str) -> ASREngine:
        engine: ASREngine = super().get(model_id)
        return engine

    def get_whisper(self, size: str = "base") -> ASREngine:
        """`size` is "tiny", "tiny.en", "base", ... "large-v3" or "large-v3-turbo"."""
        return self.get(f"whisper-{size.lower()}")

    def get_vibevoice_asr(self) -> ASREngine:
        """Names the speakers; up to an hour at once."""
        return self.get("vibevoice-asr")

    def get_speaker_encoder(self) -> SpeakerEncoderHandle:
        """Compares voices: `.embed(speech)` is a unit vector, float32 [256]."""
        handle: SpeakerEncoderHandle = self.context.engine("ge2e")
        return handle

    @property
    def whisper_available(self) -> bool:
        """Whether some size of Whisper can be used now."""
        return any(self.available(i) for i in self.engine_ids() if i.startswith("whisper-"))
