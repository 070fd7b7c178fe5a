"""OpenAI's names for models and voices, and what they mean in this studio."""

from __future__ import annotations

from collections.abc import Mapping

from modules.api.errors import blamed_on
from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.errors import BadInputError, ModelMissingError, NotFoundError
from modules.tools.services import Services
from modules.tools.speaking.fallback import (
    ModelChoice,
    choose_listening_model,
    choose_speaking_model,
)
from modules.tools.speaking.voice_lookup import NamedVoice, find_voice

MODEL_NOT_FOUND = "model_not_found"
# Programs know these names only; each means the model that the settings name.
SPEAKING_ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "kokoro")
LISTENING_ALIASES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
)

# By sex and manner as OpenAI describes its voices, among the stock voices that sound best.
OPENAI_VOICES: Mapping[str, str] = {
    "alloy": "af_alloy",
    "ash": "am_michael",
    "ballad": "bm_fable",
    "coral": "af_bella",
    "echo": "am_echo",
    "fable": "bm_george",
    "marin": "af_heart",
    "cedar": "am_puck",
    "nova": "af_nova",
    "onyx": "am_onyx",
    "sage": "af_sarah",
    "shimmer": "bf_emma",
    "verse": "am_fenrir",
}


def speaking_model(services: Services, name: str) -> str:
    """The id of the speaking model that a program means, installed or with a fallback for it.

    Raises ApiError (404, blaming "model") for a name that means none, ModelMissingError when the
    studio's own default is not installed.
    """
    default = services.settings.tts_model
    wanted = default if name in SPEAKING_ALIASES else name
    return _model(services.tts, choose_speaking_model(services, wanted), wanted, default)


def listening_model(services: Services, name: str) -> str:
    """As `speaking_model`, for models that listen."""
    default = services.settings.asr_model
    wanted = default if name in LISTENING_ALIASES else name
    return _model(services.asr, choose_listening_model(services, wanted), wanted, default)


def voice_of(services: Services, engine: TTSEngine, name: str) -> NamedVoice:
    """The studio's own voice of that name, else what stands for OpenAI's. Raises BadInputError."""
    try:
        return find_voice(services, engine, name)
    except BadInputError:
        stand_in = OPENAI_VOICES.get(name.strip().lower())
        stock = engine.voices()
        if stand_in is None or not stock:
            raise
        # Another engine than Kokoro has other voices: any is better than a refusal.
        return find_voice(services, engine, stand_in if stand_in in stock else stock[0])


def _model(manager: BaseManager, choice: ModelChoice, model_id: str, default: str) -> str:
    if choice.note:
        return model_id
    known = manager.engine_ids()
    if model_id in known and manager.available(model_id):
        return model_id
    if model_id == default and model_id in known:
        state = manager.availability(model_id)
        raise ModelMissingError(state.message, state.hint)
    installed = ", ".join(known_id for known_id in known if manager.available(known_id))
    error = NotFoundError(
        f"The model {model_id!r} is not installed here.", f"Installed: {installed or 'none'}."
    )
    raise blamed_on("model", error, MODEL_NOT_FOUND)
