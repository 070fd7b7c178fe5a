"""GET /v1/audio/voices, and the stock voices that stand for OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from modules.api.models import SPEAKING_ALIASES, Answer, choose_speaker
from modules.api.streaming import ApiContext
from modules.tools.speaking.voice_lookup import NamedVoice, find_voice, voices_to_choose

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


def voice_routes(context: ApiContext) -> APIRouter:
    """The route that lists voices."""
    router = APIRouter(tags=["Models and voices"])
    services = context.services

    @router.get("/v1/audio/voices")
    def list_voices(model: str = SPEAKING_ALIASES[0]) -> Answer:
        """The voices of a speaking model: stock, your own, prepared samples, OpenAI's names."""
        model_id = choose_speaker(services, model).model_id
        voices = [
            _voice(voice.name, voice.label or voice.name, _kind(voice), voice.language)
            for voice in voices_to_choose(services, model_id)
        ]
        engine = services.tts.get(model_id)
        if engine.voices():
            for name in OPENAI_VOICES:
                stock = find_voice(services, engine, name, OPENAI_VOICES)
                voices.append(_voice(name, f"{name} ({stock.name})", "openai", stock.language))
        return {"object": "list", "model": model_id, "voices": voices}

    return router


def _kind(voice: NamedVoice) -> str:
    if voice.is_own:
        return "own"
    return "stock" if voice.kind == "preset" else "sample"


def _voice(name: str, label: str, kind: str, language: str) -> Answer:
    return {"id": name, "name": label, "kind": kind, "language": language}
