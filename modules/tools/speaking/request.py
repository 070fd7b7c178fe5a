"""A request to speak, and what it means in this studio once it is completed.

`complete_speech` runs once for a request, before it is queued or spoken: it chooses the model,
finds the voice and checks what can be checked without weights. All that follows takes its result
as it is; takes and live speech sound the same because both follow its steps.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import regex

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.options import describe_options, parse_options
from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import Pause, parse_markup
from modules.core_components.text.sentences import split_passages
from modules.core_components.texts import _
from modules.core_components.values import Speech, Take
from modules.tools.models.fallback import (
    ModelChoice,
    choose_speaking_model,
    fallback_mentioned,
    fit_options,
)
from modules.tools.models.ready_models import designs_voices, takes_several
from modules.tools.services import Services
from modules.tools.speaking.pronunciations import with_pronunciations
from modules.tools.speaking.voice_lookup import find_voice, voice_language
from modules.tools.voices.preset_voices import (
    known_language,
    nearest_language,
    usual_language,
)

KINDS = ("sample", "preset", "description")
FORMATS = ("wav", "flac", "mp3")
PASSAGE_CHARACTERS = 2000
PAUSE_BETWEEN_PASSAGES_S = 0.35
SILENT_PASSAGE_S = 0.3
# Emoji with what joins and colours them, other pictures, punctuation and blanks. Signs that have a
# reading, such as % and ™, are not among them.
_SILENT = regex.compile(
    r"(?:(?![©®™])\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}"
    r"|[\u2600-\u27BF\uFE0E\uFE0F\u200D\U000E0020-\U000E007F]"
    r"|(?![%&@#*§‰])\p{P}|\s)*"
)
# Passages are far apart in seed, since an engine counts its own chunks up from the seed.
_PASSAGE_SEED_STEP = 100_003


@dataclass(frozen=True)
class SpeechRequest:
    """What to say and how.

    `kind` says what `voice` is: the name of a "sample" or of a "preset", a "description" for a
    model that designs voices, or "" for the preset, mix or sample of that name (or of the name
    that `voice_aliases` has for it). `engine` "" is the default model, `seed` None draws one,
    `options` are fields of the engine's options dataclass. Without `may_fall_back` it is that
    model or an error. `prompt_key` is that of the state of a sample's voice to speak with, "" for
    the best there is; `refined` refines it first. A text of only emoji and punctuation is an
    error, or with `may_be_silent` a short silence.
    """

    text: str
    voice: str
    kind: str = "sample"
    engine: str = ""
    language: str = ""
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    score: bool = True
    output_format: str = ""
    made_from: str | None = None
    may_fall_back: bool = True
    may_be_silent: bool = False
    voice_aliases: Mapping[str, str] = field(default_factory=dict)
    prompt_key: str = ""
    refined: bool = False


@dataclass(frozen=True)
class Passage:
    """Text that the engine speaks at once; `index` counts the passages of the text."""

    index: int
    text: str
    options: Any


@dataclass(frozen=True)
class PauseStep:
    """A pause."""

    seconds: float

    def speech(self, sample_rate_hz: int) -> Speech:
        """The pause as audio."""
        return Speech(np.zeros(int(self.seconds * sample_rate_hz), np.float32), sample_rate_hz)


Steps = tuple[Passage | PauseStep, ...]


@dataclass(frozen=True)
class CompletedSpeech:
    """A request with everything decided; `dataclasses.asdict` makes JSON that `read_completed`
    takes back.

    `options` is the engine's options dataclass with language and seed in it, `given` what the
    request set of it, `note` why another model than the one asked for speaks.
    """

    text: str
    voice: str
    kind: str
    model_id: str
    language: str
    seed: int
    options: Any
    steps: Steps
    given: Mapping[str, Any]
    score: bool
    output_format: str
    made_from: str | None
    may_fall_back: bool
    note: str = ""
    prompt_key: str = ""
    refined: bool = False

    @property
    def passages(self) -> Iterator[Passage]:
        """What is spoken, without the pauses."""
        return (step for step in self.steps if isinstance(step, Passage))

    def reopened(self) -> SpeechRequest:
        """The request again, to be completed for another model."""
        return SpeechRequest(
            text=self.text,
            voice=self.voice,
            kind=self.kind,
            engine=self.model_id,
            language=self.language,
            seed=self.seed,
            options=self.given,
            score=self.score,
            output_format=self.output_format,
            made_from=self.made_from,
            may_fall_back=self.may_fall_back,
            prompt_key=self.prompt_key,
            refined=self.refined,
        )


def complete_speech(
    services: Services, request: SpeechRequest, choice: ModelChoice | None = None
) -> CompletedSpeech:
    """Decides what the request leaves open and checks it; no model is loaded.

    `choice` is the model where the caller has chosen it already. A fallback gets the options that
    it knows. Raises BadInputError or NotFoundError that says what to do.
    """
    if choice is None and request.may_fall_back:
        choice = choose_speaking_model(services, request.engine)
    choice = choice or ModelChoice(request.engine or services.settings.tts_model)
    engine = services.tts.get(choice.model_id)
    with fallback_mentioned(choice):
        request, note = _adapt(services, engine, request, choice), ""
        if choice.note:
            options, note = fit_options(engine.options_type, request.options, choice)
            request = replace(request, options=options)
        return _complete(services, engine, request, choice.model_id, note)


def _adapt(
    services: Services, engine: TTSEngine, request: SpeechRequest, choice: ModelChoice
) -> SpeechRequest:
    """The request with its voice found, and in the language code of the fallback."""
    if request.kind == "" or (choice.note and request.kind == "preset"):
        found = find_voice(services, engine, request.voice, request.voice_aliases)
        request = replace(request, voice=found.name, kind=found.kind)
    if choice.note:
        language = nearest_language(engine, request.language) or request.language
        request = replace(request, language=language)
    return request


def _complete(
    services: Services, engine: TTSEngine, request: SpeechRequest, model_id: str, note: str
) -> CompletedSpeech:
    text = check_text(services, request.text)
    if request.kind not in KINDS:
        raise BadInputError(
            _("A voice is a sample, a preset or a description, not {kind!r}.", kind=request.kind)
        )
    seed = secrets.randbelow(2**31) if request.seed is None or request.seed < 0 else request.seed
    if seed >= 2**31:
        raise BadInputError(
            _("The seed is {seed}.", seed=seed),
            _("It must lie between 0 and {most}.", most=2**31 - 1),
            "seed",
        )
    own_language = ""
    if not request.language.strip() and request.kind in ("sample", "preset"):
        own_language = voice_language(services, engine, request.voice, request.kind)
    language = language_to_speak(services, engine, request.language, own_language)
    given = with_pronunciations(services, engine, language, text, request.options)
    options = engine_options(engine, given, language, seed)
    steps = plan_steps(engine, text, options, request.may_be_silent)
    _check_voice(services, engine, request)
    output_format = request.output_format or services.settings.output_format
    if output_format not in FORMATS:
        raise BadInputError(
            _("Unknown audio format {output_format!r}.", output_format=output_format),
            _("Choose {formats}.", formats=", ".join(FORMATS)),
        )
    return CompletedSpeech(
        text=text,
        voice=request.voice,
        kind=request.kind,
        model_id=model_id,
        language=language,
        seed=seed,
        options=options,
        steps=steps,
        given=given,
        score=request.score,
        output_format=output_format,
        made_from=request.made_from,
        may_fall_back=request.may_fall_back,
        note=note,
        prompt_key=request.prompt_key,
        refined=request.refined,
    )


def check_text(services: Services, text: str) -> str:
    """The text without white space around it. Raises BadInputError for none and for one above the
    limit of the settings."""
    text = text.strip()
    limit = services.settings.max_text_characters
    if not text:
        raise BadInputError(
            _("There is no text to speak."), _("Type what the voice should say."), "text"
        )
    if len(text) > limit:
        raise BadInputError(
            too_long(text, limit),
            _("Speak it in parts, or raise “Longest text” in the settings."),
            "text",
        )
    return text


def check_api_text(services: Services, text: str) -> None:
    """Raises BadInputError for a text above the limit of the API, where a client waits for it."""
    limit = services.settings.api_max_text_characters
    if len(text.strip()) > limit:
        raise BadInputError(
            too_long(text.strip(), limit),
            _("Send it in parts, or raise “Longest text over the API” in the settings."),
            "text",
        )


def too_long(text: str, limit: int) -> str:
    """What is said of a text above a limit."""
    return _(
        "The text has {count:,} characters; the limit is {limit:,}.", count=len(text), limit=limit
    )


def read_completed(services: Services, payload: Mapping[str, Any]) -> CompletedSpeech:
    """A completed request from its JSON.

    Payloads of earlier versions hold the request only, or other options: they are completed here.
    """
    if "steps" not in payload:
        request = {name: value for name, value in payload.items() if name != "note"}
        completed = complete_speech(services, SpeechRequest(**request))
        return replace(completed, note=completed.note or payload.get("note", ""))
    options_type = services.tts.get(payload["model_id"]).options_type
    try:
        steps: Steps = tuple(
            PauseStep(step["seconds"])
            if "seconds" in step
            else Passage(step["index"], step["text"], options_type(**step["options"]))
            for step in payload["steps"]
        )
        options = options_type(**payload["options"])
    except TypeError:  # the engine of that version had other options
        kept = CompletedSpeech(**{**payload, "steps": ()})
        return replace(complete_speech(services, kept.reopened()), note=kept.note)
    return CompletedSpeech(**{**payload, "steps": steps, "options": options})


def request_of_take(take: Take) -> SpeechRequest:
    """The request that makes a take again: with its seed and every option."""
    options = {name: v for name, v in take.options.items() if name not in ("language", "seed")}
    return SpeechRequest(
        text=take.text,
        voice=take.voice,
        kind=take.kind,
        engine=take.model_id,
        language=take.language,
        seed=take.seed,
        options=options,
        made_from=take.id,
        may_fall_back=False,
        output_format=take.path.suffix.lstrip("."),
        prompt_key=take.prompt_key or "" if take.kind == "sample" else "",
    )


def language_to_speak(
    services: Services, engine: TTSEngine, language: str, of_voice: str = ""
) -> str:
    """The engine's code for the language to speak: the one given, else that of the voice, else the
    usual one. Raises BadInputError for one that the engine does not speak."""
    if language.strip():
        return known_language(engine, language)
    return nearest_language(engine, of_voice) or known_language(
        engine, usual_language(services, engine)
    )


def engine_options(engine: TTSEngine, options: Mapping[str, Any], language: str, seed: int) -> Any:
    """The engine's options dataclass with language and seed. Raises as `parse_options`."""
    return parse_options(engine.options_type, {**options, "language": language, "seed": seed})


def plan_steps(engine: TTSEngine, text: str, options: Any, may_be_silent: bool = False) -> Steps:
    """The passages of a text and the pauses between them, in order.

    A passage of only emoji and punctuation is a pause. Raises BadInputError for markup that cannot
    be read, a speed that the engine does not have, and a text without words (with `may_be_silent`
    without words, emoji and punctuation).
    """
    steps: list[Passage | PauseStep] = []
    count, silences = 0, 0
    for part in parse_markup(text):
        if isinstance(part, Pause):
            steps.append(PauseStep(part.seconds))
            continue
        own = options if part.speed == 1.0 else _with_speed(engine, options, part.speed)
        passages = split_passages(part.text, options.language, PASSAGE_CHARACTERS)
        for index, passage in enumerate(passages):
            if index:
                steps.append(PauseStep(PAUSE_BETWEEN_PASSAGES_S))
            if is_silent(passage):
                steps.append(PauseStep(SILENT_PASSAGE_S))
                silences += 1
                continue
            seed = (options.seed + count * _PASSAGE_SEED_STEP) % 2**31
            steps.append(Passage(count, passage, replace(own, seed=seed)))
            count += 1
    if not count and not (may_be_silent and silences):
        raise BadInputError(
            _("There is nothing to speak in this text."),
            _("Write words between the pauses."),
            "text",
        )
    return tuple(steps)


def _with_speed(engine: TTSEngine, options: Any, factor: float) -> Any:
    given = {item.name: getattr(options, item.name) for item in describe_options(type(options))}
    if "speed" not in given:
        raise BadInputError(
            _("{label} cannot change its speed.", label=engine.label),
            _("Leave the [speed:…] out, or choose another model."),
            "text",
        )
    # Ten digits, so that 0.1 * 3 is 0.3.
    return parse_options(type(options), {**given, "speed": round(given["speed"] * factor, 10)})


def _check_voice(services: Services, engine: TTSEngine, request: SpeechRequest) -> None:
    entry = services.tts.entry(engine.model_id)
    if request.kind == "sample":
        sample = services.samples.voice(request.voice)
        if not engine.can_clone:
            raise BadInputError(
                _("{label} cannot clone a voice.", label=engine.label),
                _("Choose a model that can."),
                "model",
            )
        if sample.parts and not takes_several(entry):
            raise BadInputError(
                _("{label} takes a voice from one sample only.", label=engine.label),
                _("Name one sample, or choose XTTS."),
                "voice",
            )
    elif (request.kind == "description") != designs_voices(entry):
        problem = (
            _("{label} cannot make a voice from a description.", label=engine.label)
            if request.kind == "description"
            else _("{label} can only make a voice from a description.", label=engine.label)
        )
        raise BadInputError(
            problem,
            _("Choose another model."),
            "model",
        )


def is_silent(text: str) -> bool:
    """Whether a text is only emoji, punctuation and blanks."""
    return _SILENT.fullmatch(text) is not None
