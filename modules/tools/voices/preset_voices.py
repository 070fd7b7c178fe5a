"""Preset voices with their labels and languages, and voices prepared from samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modules.core_components.ai_models.engines.base import TTSEngine, VoiceLanguagesEngine
from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.ai_models.engines.xtts.engine import REFERENCE_VOICE
from modules.core_components.ai_models.engines.xtts.tuned import FAMILY
from modules.core_components.errors import BadInputError
from modules.core_components.library.tuned_models import TunedModel
from modules.core_components.text.language_codes import match_language
from modules.core_components.texts import _, mark
from modules.core_components.values import OwnVoice, VoicePrompt
from modules.tools.models.ready_models import speaking_models
from modules.tools.services import Services

_SEXES = {"f": mark("woman"), "m": mark("man")}
_KOKORO_VOICE = re.compile(r"[a-z][fm]_([a-z]+)")
_KOKORO_VOICES = re.compile(
    r"[a-z][fm]_[a-z]+(\(-?[\d.]+\))?([+-][a-z][fm]_[a-z]+(\(-?[\d.]+\))?)*"
)
# So many codes are listed in an error; one engine has hundreds.
_MOST_CODES = 40


@dataclass(frozen=True)
class PresetVoice:
    """A voice with a name: one that comes with the model, or the user's own.

    `language` is "" if it is not known; `made_from` says how an own voice was made.
    """

    name: str
    label: str
    language: str = ""
    is_own: bool = False
    made_from: str = ""


def preset_voices(services: Services, engine: TTSEngine) -> tuple[PresetVoice, ...]:
    """The engine's voices and the user's own; of Kokoro's, those whose language is read here."""
    own = {voice.name: voice for voice in services.voices.list(engine.model_id)}
    tuned = services.tts.tuned_model(engine.model_id)
    if services.tts.entry(engine.model_id).family == FAMILY:
        return tuple(describe_speaker(name, tuned) for name in engine.voices())
    if isinstance(engine, VoiceLanguagesEngine):
        spoken = engine.voice_languages().items()
        return tuple(
            PresetVoice(name, name, nearest_language(engine, code)) for name, code in spoken
        )
    voices = (
        describe_own(own[name]) if name in own else describe_voice(name) for name in engine.voices()
    )
    return tuple(voice for voice in voices if voice.language in ("", *engine.languages))


def describe_own(voice: OwnVoice) -> PresetVoice:
    """An own voice with the label that the user gave it."""
    label = _("{label} · your own", label=voice.label)
    return PresetVoice(voice.name, label, voice.language, True, voice.made_from)


def describe_speaker(name: str, tuned: TunedModel | None = None) -> PresetVoice:
    """A speaker of XTTS, for every language; that of a fine-tuned model has its own language."""
    if tuned is not None and name == REFERENCE_VOICE:
        return PresetVoice(
            name, _("{label} · the voice it was trained on", label=tuned.label), tuned.language
        )
    return PresetVoice(name, _("{name} · studio speaker", name=name))


def describe_voice(name: str) -> PresetVoice:
    """Kokoro's names begin with language and sex: "bf_emma" is a British woman."""
    prefix, _unused, rest = name.partition("_")
    if not rest or len(prefix) != 2 or prefix[1] not in _SEXES:
        return PresetVoice(name, name)
    languages = {language.letter: language for language in LANGUAGES.values()}
    language = languages.get(prefix[0])
    if language is None:
        return PresetVoice(name, name, "unreadable")
    label = f"{rest.capitalize()} · {_(language.name)}, {_(_SEXES[prefix[1]])}"
    return PresetVoice(name, label, language.code)


def voice_in_words(voice: str) -> str:
    """What people call the voice of a take: "Alloy" for "af_alloy", "Bella (2) + Sky (1)" for a mix
    of Kokoro's voices; other names as they are."""
    if not _KOKORO_VOICES.fullmatch(voice):
        return voice
    named = _KOKORO_VOICE.sub(lambda found: found[1].replace("_", " ").title(), voice)
    spaced = re.sub(r"(?<=[a-z)])([+-])", lambda found: f" {found[1]} ", named, flags=re.I)
    return spaced.replace("(", " (").replace(" - ", " − ")


def known_language(engine: TTSEngine, given: str) -> str:
    """The engine's own code for a language, written as `match_language` takes it.

    Raises BadInputError for a language that the engine does not speak.
    """
    code = nearest_language(engine, given)
    if not code:
        raise BadInputError(
            _("{label} does not speak {given!r}.", label=engine.label, given=given),
            _("It speaks {codes}.", codes=_codes_in_words(engine.languages)),
            "language",
        )
    return code


def _codes_in_words(codes: Sequence[str]) -> str:
    shown = ", ".join(codes[:_MOST_CODES])
    more = len(codes) - _MOST_CODES
    return _("{shown} and {more} more", shown=shown, more=more) if more > 0 else shown


def nearest_language(engine: TTSEngine, given: str) -> str:
    """As `known_language`, but "" for a language that the engine does not speak, and for ""."""
    return match_language(given, tuple(engine.languages)) if given.strip() else ""


def usual_language(services: Services, engine: TTSEngine) -> str:
    """The engine's default language: that it was tuned for, else that of the settings, as far as it
    has them."""
    tuned = services.tts.tuned_model(engine.model_id)
    wanted = (tuned.language if tuned else "", services.settings.language)
    found = (nearest_language(engine, code) for code in wanted)
    return next(filter(None, found), services.settings.language)


def prepared_voice(services: Services, sample_name: str, model_id: str) -> VoicePrompt | None:
    """The voice prompt of a sample if the model has one; None also without model or sample."""
    models = {entry.id for entry in speaking_models(services)}
    samples = {sample.name: sample for sample in services.samples.list()}
    if model_id not in models or sample_name not in samples:
        return None
    return services.tts.prepared_voice(model_id, samples[sample_name])
