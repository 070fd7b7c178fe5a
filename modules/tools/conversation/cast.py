"""The cast of a conversation: the voice that a user chose for each speaker, checked and fixed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.library.conversations import CastMember, Line
from modules.core_components.text.script import FORMER_NO_NAME, NO_NAME
from modules.core_components.texts import _
from modules.core_components.values import VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest, language_to_speak
from modules.tools.speaking.voice_lookup import (
    NamedVoice,
    find_sample,
    find_voice,
)
from modules.tools.voices.own_voices import fixed_voice

# What engines call the option that says how something is spoken.
STYLE_OPTIONS = ("instruct", "style")


@dataclass(frozen=True)
class CastVoice:
    """A voice as a user names it: a stock voice, a mix, an own voice, or a sample.

    `engine` "" is the default model, `language` "" the voice's own or the default one. `kind`
    ("preset" or "sample") is only needed for a sample with the name of a preset.
    """

    voice: str
    engine: str = ""
    kind: str = ""
    language: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def cast_of(
    services: Services, speakers: Iterable[str], voices: Mapping[str, CastVoice]
) -> tuple[CastMember, ...]:
    """The speakers with their voices, as these are now.

    Raises BadInputError for a speaker without a voice, a voice without a speaker, and an unknown
    voice; ModelMissingError if its model is not installed.
    """
    speakers = tuple(speakers)
    voices = _with_narrator(speakers, voices)
    given = {name.casefold(): voice for name, voice in voices.items()}
    silent = [name for name in speakers if name.casefold() not in given]
    if silent:
        raise BadInputError(
            _("No voice is chosen for {silent}.", silent=", ".join(silent)),
            _("Give every speaker of the script a voice. If that is no speaker, indent the line."),
            "voice",
        )
    known = {name.casefold() for name in speakers}
    strangers = [name for name in voices if name.casefold() not in known]
    if strangers:
        raise BadInputError(
            _("The script has no speaker named {strangers}.", strangers=", ".join(strangers)),
            _("It has {speakers}.", speakers=", ".join(speakers)),
            "voice",
        )
    return tuple(_member(services, name, given[name.casefold()]) for name in speakers)


def _with_narrator(
    speakers: Sequence[str], voices: Mapping[str, CastVoice]
) -> Mapping[str, CastVoice]:
    """The voices; what was given for "1" is the narrator's, whom earlier versions called so."""
    if NO_NAME not in speakers or NO_NAME in voices or FORMER_NO_NAME in speakers:
        return voices
    return {NO_NAME if name == FORMER_NO_NAME else name: one for name, one in voices.items()}


def check_voice_is_the_same(services: Services, member: CastMember) -> None:
    """Raises BadInputError, NotFoundError if the voice was deleted or replaced."""
    if _voice_key(services, member) != member.voice_key:
        named = {"voice": member.voice, "speaker": member.speaker}
        if member.kind == "sample":
            raise BadInputError(
                _("{voice!r}, the voice of {speaker}, is now a different recording.", **named),
                _("Restore the recording the conversation began with, or begin a new one."),
                "voice",
            )
        raise BadInputError(
            _("{voice!r}, the voice of {speaker}, is now a different voice.", **named),
            _("Restore the voice the conversation began with, or begin a new one."),
            "voice",
        )


def request_of_line(services: Services, member: CastMember, line: Line) -> SpeechRequest:
    """The request to speak a line; its style is left out for engines that have none."""
    options = dict(member.options)
    style_option = style_option_of(services.tts.get(member.engine))
    if line.style and style_option:
        options[style_option] = line.style
    return SpeechRequest(
        text=line.text,
        voice=member.voice,
        kind=member.kind,
        engine=member.engine,
        language=member.language,
        seed=line.seed,
        options=options,
        score=False,
        output_format="wav",
        may_fall_back=False,  # the cast is fixed when a conversation begins
    )


@contextmanager
def errors_naming(whom: str) -> Iterator[None]:
    """Begins the message of each StudioError in the block with the speaker it is about."""
    try:
        yield
    except StudioError as error:
        message = f"{whom}: {error.message}"
        raise type(error)(message, error.hint, details=error.details) from error


def style_option_of(engine: TTSEngine) -> str:
    """The name of the engine's option for styles; "" where it has none."""
    names = {item.name for item in describe_options(engine.options_type)}
    return next((name for name in STYLE_OPTIONS if name in names), "")


def _member(services: Services, speaker: str, wanted: CastVoice) -> CastMember:
    model_id = wanted.engine or services.settings.tts_model
    engine = services.tts.get(model_id)
    with errors_naming(speaker):
        voice = _found(services, engine, wanted)
        member = CastMember(
            speaker=speaker,
            voice=voice.name,
            kind=voice.kind,
            engine=model_id,
            language=language_to_speak(services, engine, wanted.language, voice.language),
            options=dict(wanted.options),
        )
        return dataclasses.replace(member, voice_key=_voice_key(services, member))


def _found(services: Services, engine: TTSEngine, wanted: CastVoice) -> NamedVoice:
    if not wanted.voice.strip():
        raise BadInputError(
            _("No voice is chosen."), _("Choose a stock voice or a sample."), "voice"
        )
    if wanted.kind == "sample":
        return find_sample(services, engine, wanted.voice)
    return find_voice(services, engine, wanted.voice)


def _voice_key(services: Services, member: CastMember) -> str:
    if member.kind == "sample":
        return services.samples.get(member.voice).audio_sha256
    voice = fixed_voice(services.tts.get(member.engine), member.voice)
    return voice.key if isinstance(voice, VoicePrompt) else ""
