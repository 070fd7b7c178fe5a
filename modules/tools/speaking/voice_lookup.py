"""Finding a voice by the one name that a client gives: a preset, a mix or a sample."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.kokoro.voices import is_mix, mix_names, parse_mix
from modules.core_components.errors import BadInputError, ModelMissingError, StudioError
from modules.core_components.texts import _
from modules.tools.models.ready_models import can_clone, speaking_models
from modules.tools.services import Services
from modules.tools.voices.preset_voices import nearest_language, preset_voices


class UnknownVoiceError(BadInputError):
    """No voice has this name."""


@dataclass(frozen=True)
class NamedVoice:
    """A voice as a SpeechRequest takes it; `language` is "" if it is not known.

    `kind` is "preset" (a stock voice, one of the user's own, or a mix) or "sample".
    """

    name: str
    kind: str
    language: str = ""
    label: str = ""
    is_own: bool = False


def find_voice(
    services: Services,
    engine: TTSEngine,
    name: str,
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> NamedVoice:
    """The preset, the mix like "af_bella(2)+af_sky(1)" or the sample of that name, in just its case
    or else in any, or the preset that `aliases` has for it.

    Raises UnknownVoiceError that names similar voices, ModelMissingError if the model with its
    voices is not installed.
    """
    try:
        return _find_voice(services, engine, name.strip())
    except BadInputError as error:
        alias = aliases.get(name.strip().lower())
        stock = engine.voices()
        if alias is None or not stock:
            raise UnknownVoiceError(error.message, error.hint, "voice") from error
        # The aliases are for Kokoro; with another engine any voice is better than an error.
        return _find_voice(services, engine, alias if alias in stock else stock[0])


def _find_voice(services: Services, engine: TTSEngine, name: str) -> NamedVoice:
    samples = {sample.name: sample for sample in services.samples.list()}
    presets = engine.voices()
    if name not in presets and name not in samples:
        in_any_case = {known.casefold(): known for known in (*samples, *presets)}
        name = in_any_case.get(name.casefold(), name)
    if name in presets:
        return NamedVoice(name, "preset", _preset_language(services, engine, name))
    if name in samples:
        return NamedVoice(name, "sample", nearest_language(engine, samples[name].language))
    if "+" in name and all(part.strip() in samples for part in name.split("+")):
        several = services.samples.voice(name)
        return NamedVoice(several.name, "sample", nearest_language(engine, several.language))
    names = mix_names(name) if is_mix(name) else (name,)
    unknown = [part for part in names if part not in presets]
    if len(unknown) == len(names):
        unknown = [name]  # no mix, but a name that has a "-" in it
    if unknown and not presets:
        state = services.tts.availability(engine.model_id)
        if not state.ready:
            raise ModelMissingError(state.message, state.hint, details=state.details)
    if unknown:
        known = [*presets, *samples]
        near = difflib.get_close_matches(unknown[0], known, n=3) or known[:3]
        raise BadInputError(
            _("{label} has no voice {unknown!r}.", label=engine.label, unknown=unknown[0]),
            _("There is for example {near}.", near=", ".join(near)) if near else _("It has none."),
        )
    largest, _unused = max(parse_mix(name), key=lambda part: part[1])
    return NamedVoice(name, "preset", _preset_language(services, engine, largest))


def find_sample(services: Services, engine: TTSEngine, name: str) -> NamedVoice:
    """The sample of that name, even if a preset has the same one. Raises NotFoundError."""
    sample = services.samples.get(name)
    return NamedVoice(sample.name, "sample", nearest_language(engine, sample.language))


def voice_language(services: Services, engine: TTSEngine, name: str, kind: str) -> str:
    """The engine's code for the language of a "preset" (of a mix its largest part) or a "sample";
    "" where it is not known, or there is no such voice."""
    try:
        if kind == "sample":
            return nearest_language(engine, services.samples.voice(name).language)
        largest, _unused = (
            max(parse_mix(name), key=lambda part: part[1]) if is_mix(name) else (name, 1.0)
        )
        return _preset_language(services, engine, largest)
    except StudioError:
        return ""


def voices_to_choose(services: Services, model_id: str) -> tuple[NamedVoice, ...]:
    """The presets of an installed model, then the samples where it can take their voice."""
    engine = services.tts.get(model_id)
    found = [
        NamedVoice(voice.name, "preset", voice.language, voice.label, voice.is_own)
        for voice in preset_voices(services, engine)
    ]
    entries = {entry.id: entry for entry in speaking_models(services)}
    if model_id in entries and can_clone(entries[model_id]):
        found += [
            NamedVoice(
                sample.name, "sample", nearest_language(engine, sample.language), sample.name
            )
            for sample in services.samples.list()
        ]
    return tuple(found)


def _preset_language(services: Services, engine: TTSEngine, name: str) -> str:
    voices = {voice.name: voice for voice in preset_voices(services, engine)}
    return voices[name].language if name in voices else ""
