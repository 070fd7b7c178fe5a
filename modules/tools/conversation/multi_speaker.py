"""A conversation in one go: one engine speaks for several speakers with the voices of samples.

It is kept, and can be made again, in parts of the script of about two minutes, which are cut
between lines and at pauses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from modules.core_components.ai_models.engines.base import ScriptEngine
from modules.core_components.ai_models.engines.base import ScriptLine as Turn
from modules.core_components.errors import BadInputError, ModelMissingError
from modules.core_components.library.conversations import CastMember, Conversation, Line
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.markup import plain_words
from modules.core_components.text.script import ScriptLine, parse_script, split_script
from modules.core_components.texts import _
from modules.tools.conversation.cast import CastVoice, cast_of, errors_naming, request_of_line
from modules.tools.models.memory import report_load
from modules.tools.models.ready_models import speaking_models, speaks_scripts
from modules.tools.services import Services
from modules.tools.speaking.request import complete_speech
from modules.tools.speaking.speech import UnsavedSpeech, collect_speech, timed

LONGEST_PART = 2_000  # characters: about two minutes


def cast_in_one_go(
    services: Services, speakers: Sequence[str], voices: Mapping[str, CastVoice]
) -> tuple[CastMember, ...]:
    """As `cast_of`, for speakers who all speak with one engine; "" is the usual one that can.

    Raises BadInputError for more speakers than it takes, several engines, languages or options,
    one that speaks only line by line, and a voice that is no sample's; ModelMissingError.
    """
    models = {voice.engine for voice in voices.values() if voice.engine}
    if len(models) > 1:
        raise BadInputError(
            _(
                "In one go all speak with one engine, and not with {models}.",
                models=_(" and ").join(sorted(models)),
            ),
            _("Choose one engine for all, or have it spoken line by line."),
            "voice",
        )
    engine = _script_engine(services, next(iter(models), ""))
    if len(speakers) > engine.max_speakers:
        raise BadInputError(
            _(
                "The script has {count} speakers; {label} takes {max_speakers} at most in one go.",
                count=len(speakers),
                label=engine.label,
                max_speakers=engine.max_speakers,
            ),
            _("Take speakers out of the script, or have it spoken line by line."),
            "voice",
        )
    for name, voice in voices.items():
        if voice.kind == "preset":
            raise BadInputError(
                _(
                    "{name}: in one go everybody speaks with the voice of a sample, and "
                    "{voice!r} is a stock voice.",
                    name=name,
                    voice=voice.voice,
                ),
                _("Choose a sample, or have it spoken line by line."),
                "voice",
            )
    wanted = {
        name: dataclasses.replace(voice, engine=engine.model_id, kind="sample")
        for name, voice in voices.items()
    }
    cast = cast_of(services, speakers, wanted)
    first = cast[0]
    for member in cast[1:]:
        if (member.language, member.options) != (first.language, first.options):
            raise BadInputError(
                _(
                    "In one go all speak one language with the same options; those of "
                    "{speaker} and {other} differ.",
                    speaker=first.speaker,
                    other=member.speaker,
                ),
                _("Choose the language that the script is written in, for all of them."),
                "language",
            )
    return cast


def parts_of(
    services: Services, spoken: Iterable[ScriptLine], cast: Sequence[CastMember]
) -> tuple[str, ...]:
    """The script in parts (see `split_script`), checked as `complete_speech` does."""
    parts = split_script(spoken, cast[0].language, LONGEST_PART)
    for member in cast:
        with errors_naming(member.speaker):
            said = Line("", member.speaker, parts[0], seed=0)
            complete_speech(services, request_of_line(services, member, said))
    return parts


def checked_part(conversation: Conversation, text: str) -> str:
    """Another text for a part, as it is kept. Raises BadInputError, NotFoundError."""
    names = {member.speaker.casefold(): member.speaker for member in conversation.cast}
    spoken = [
        dataclasses.replace(line, speaker=names.get(line.speaker.casefold(), line.speaker))
        for line in parse_script(text)
    ]
    for line in spoken:
        conversation.member(line.speaker)
    parts = split_script(spoken, conversation.cast[0].language, LONGEST_PART)
    if len(parts) > 1:
        raise BadInputError(
            _(
                "A part has at most {longest_part:,} characters, and silence only before "
                "and after.",
                longest_part=LONGEST_PART,
            ),
            _("Shorten it, or begin a new conversation with the changed script."),
            "text",
        )
    return parts[0]


def perform_part(
    services: Services,
    conversation: Conversation,
    part: Line,
    progress: Progress,
    cancel: CancelToken,
) -> UnsavedSpeech:
    """Speaks a part, which is not kept yet. Raises StudioError and JobCancelled."""
    members = {name: conversation.member(name) for name in part.speakers}
    one = conversation.cast[0]
    engine = _script_engine(services, one.engine)
    report_load(services.tts, engine, progress)
    timings: dict[str, float] = {}
    samples = {name: services.samples.get(member.voice) for name, member in members.items()}
    voices = timed(
        timings,
        "prepare_voice",
        lambda: [
            services.tts.prepare_voice(one.engine, sample, no_progress, cancel)[0]
            for sample in samples.values()
        ],
    )
    places = {name: place for place, name in enumerate(members)}
    turns = [Turn(places[line.speaker], plain_words(line.text)) for line in parse_script(part.text)]
    wanted = request_of_line(services, one, part)
    plain = dataclasses.replace(wanted, text=plain_words(part.text))
    request = complete_speech(services, plain)
    speech = timed(
        timings,
        "speak",
        lambda: collect_speech(
            engine.stream_script(turns, voices, request.options, cancel),
            engine.sample_rate_hz,
            sum(len(turn.text) for turn in turns),
            progress,
            cancel,
        ),
    )
    voice = ", ".join(sample.name for sample in samples.values())
    request = dataclasses.replace(request, text=part.text, voice=voice, kind="script")
    hashes = {name: sample.audio_sha256 for name, sample in samples.items()}
    return UnsavedSpeech(request, engine, None, "", speech, timings, hashes)


def _script_engine(services: Services, model_id: str = "") -> ScriptEngine:
    """That engine or the usual one. Raises BadInputError, ModelMissingError."""
    model_id = model_id or _usual_model(services)
    engine = services.tts.get(model_id)
    if not isinstance(engine, ScriptEngine):
        raise BadInputError(
            _("{label} cannot speak a script in one go.", label=engine.label),
            _("Choose VibeVoice, or have it spoken line by line."),
            "voice",
        )
    state = services.tts.availability(model_id)
    if not state.ready:
        raise ModelMissingError(state.message, state.hint, details=state.details)
    return engine


def _usual_model(services: Services) -> str:
    """That of the settings if it can, else the first that can and is here."""
    able = [entry.id for entry in speaking_models(services) if speaks_scripts(entry)]
    if not able:
        raise ModelMissingError(
            _("No model that speaks a script in one go is installed."),
            _("Download VibeVoice on the Models tab, or have it spoken line by line."),
            details="In the terminal: `models download vibevoice-1.5b`.",
        )
    usual = services.settings.tts_model
    return usual if usual in able else able[0]
