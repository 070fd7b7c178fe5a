"""The user's own voices: saved mixes and imported packs; exporting voices as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.base import PackEngine, TTSEngine
from modules.core_components.ai_models.engines.kokoro.voices import (
    SUFFIXES,
    format_mix,
    load_pack,
    pack_bytes,
    parse_mix,
    save_pack,
    voice_of_prompt,
)
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, OwnVoice, VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.voice_lookup import find_voice
from modules.tools.voices.preset_voices import known_language

# The grammar of mixes is Kokoro's; the faces import it from here.
__all__ = [
    "MODEL",
    "SUFFIXES",
    "export_preset",
    "fixed_voice",
    "format_mix",
    "has_packs",
    "import_voice",
    "parse_mix",
    "save_mix",
]

MODEL = "kokoro-v1.0"


def fixed_voice(engine: TTSEngine, voice: str) -> VoicePrompt | str:
    """A preset voice as it is now, even if its file is changed meanwhile.

    The name itself if the engine's voices cannot change.
    """
    return engine.preset_prompt(voice) if isinstance(engine, PackEngine) else voice


def has_packs(services: Services, model_id: str) -> bool:
    """Whether the voices of a model can be mixed, imported and exported as files."""
    return isinstance(services.tts.get(model_id), PackEngine)


def save_mix(
    services: Services, mix: str, label: str, language: str = "", model_id: str = MODEL
) -> OwnVoice:
    """Keeps a mix like "af_bella(2)+af_sky(1)" as a voice, in its largest part's language.

    Raises BadInputError for a mix that cannot be read, a voice that is not there, and a name that
    is taken.
    """
    pack = _pack(services, model_id, mix)
    language = language or find_voice(services, services.tts.get(model_id), mix).language
    return _keep(services, pack, label, language, mix.strip(), model_id)


def import_voice(
    services: Services, file: Path, label: str = "", language: str = "", model_id: str = MODEL
) -> OwnVoice:
    """Keeps a voice file (see `load_pack`) as a voice, by default under the file's name.

    Raises BadInputError for a file that is no voice, and for a name that is taken.
    """
    pack = load_pack(file)
    origin = _("imported from {name}", name=file.name)
    return _keep(services, pack, label.strip() or file.stem, language, origin, model_id)


def export_preset(services: Services, voice: str, target: Path, model_id: str = MODEL) -> Path:
    """Writes a voice or a mix to a file, in the form that its suffix names.

    Raises BadInputError for a voice that is not there or another suffix, and DiskFullError.
    """
    pack = _pack(services, model_id, voice)
    target.parent.mkdir(parents=True, exist_ok=True)
    return save_pack(pack, target)


def _keep(
    services: Services, pack: FloatArray, label: str, language: str, made_from: str, model_id: str
) -> OwnVoice:
    engine = _pack_engine(services, model_id)
    if language:
        language = known_language(engine, language)
    # A sample of that name could no longer be found by its name.
    taken = {*engine.voices(), *(sample.name for sample in services.samples.list())}
    return services.voices.add(label, pack_bytes(pack), model_id, language, made_from, taken)


def _pack(services: Services, model_id: str, voice: str) -> FloatArray:
    engine: Any = _pack_engine(services, model_id)
    return voice_of_prompt(engine.preset_prompt(voice)).pack


def _pack_engine(services: Services, model_id: str) -> TTSEngine:
    engine = services.tts.get(model_id)
    if not isinstance(engine, PackEngine):
        raise BadInputError(
            _("The voices of {label} cannot be mixed or exported.", label=engine.label),
            _("Choose Kokoro."),
        )
    return engine
