"""Stock voices in words, and voices that were prepared from samples before."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.kokoro.languages import LANGUAGES
from modules.core_components.values import VoicePrompt
from modules.tools.ready_models import speaking_models
from modules.tools.services import Services

_SEXES = {"f": "woman", "m": "man"}


@dataclass(frozen=True)
class StockVoice:
    """A voice that comes with a model; `language` is "" where the name does not say it."""

    name: str
    label: str
    language: str = ""


def stock_voices(engine: TTSEngine) -> tuple[StockVoice, ...]:
    """The engine's own voices; of Kokoro's, those whose language can be read here."""
    voices = (describe_voice(name) for name in engine.voices())
    return tuple(voice for voice in voices if voice.language in ("", *engine.languages))


def describe_voice(name: str) -> StockVoice:
    """Kokoro's names begin with language and sex: "bf_emma" is a British woman."""
    prefix, _, rest = name.partition("_")
    if not rest or len(prefix) != 2 or prefix[1] not in _SEXES:
        return StockVoice(name, name)
    languages = {language.letter: language for language in LANGUAGES.values()}
    language = languages.get(prefix[0])
    if language is None:
        return StockVoice(name, name, "unreadable")
    label = f"{rest.capitalize()} · {language.name}, {_SEXES[prefix[1]]}"
    return StockVoice(name, label, language.code)


def prepared_voice(services: Services, sample_name: str, model_id: str) -> VoicePrompt | None:
    """What the model made of a sample before; None when it has not, or either is not there."""
    models = {entry.id for entry in speaking_models(services)}
    samples = {sample.name: sample for sample in services.samples.list()}
    if model_id not in models or sample_name not in samples:
        return None
    return services.tts.prepared_voice(model_id, samples[sample_name])
