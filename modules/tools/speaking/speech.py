"""Text in, take out: the one way from a request to a clip in the history.

Page, API and command line all come through `speak`. Long texts are spoken in passages, each kept
on disk as soon as it is done, so that a crash costs one passage and not an evening.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from modules.core_components.ai_models.engines.base import AttentiveEngine, TTSEngine
from modules.core_components.audio.files import audio_sha256, read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.library import TakeLibrary
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.text.markup import has_markup
from modules.core_components.values import Sample, Scores, Speech, Take, VoicePrompt
from modules.core_components.version import APP_VERSION, computing_environment
from modules.tools.models.memory import tell_load
from modules.tools.models.ready_models import designs_voices, takes_several
from modules.tools.services import Services
from modules.tools.speaking.fallback import (
    UNUSABLE,
    ModelChoice,
    choose_speaking_model,
    fitting_options,
    instead_of_broken,
    told_of,
    without,
)
from modules.tools.speaking.plan import engine_options, speak_passages, spoken_steps
from modules.tools.speaking.pronunciations import with_pronunciations
from modules.tools.speaking.scores import score_speech
from modules.tools.speaking.voice_lookup import find_voice
from modules.tools.voices.own_voices import fixed_voice
from modules.tools.voices.preset_voices import check_language, nearest_language, usual_language

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class SpeechRequest:
    """What to say and how. `kind` is "sample" (voice = a sample's name), "preset", or "description"
    (voice = what it is like, for a model that designs voices).

    `seed` None draws one; `options` are those of the engine's options dataclass. Without
    `may_fall_back` it is that engine or an error. `note` says why another model than the one asked
    for speaks (see `fallback`).
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
    note: str = ""


def complete_request(services: Services, request: SpeechRequest) -> SpeechRequest:
    """Fills what the user left open and checks what can be checked without loading a model.

    A model that is missing gives way to the fallback of the settings, as far as that can do what
    is asked. Raises BadInputError or NotFoundError, each saying what to do.
    """
    choice = choose_speaking_model(services, request.engine)
    if not request.may_fall_back or not choice.note:
        return _completed(services, request)
    return _completed_for(services, request, choice)


def _completed_for(
    services: Services, request: SpeechRequest, choice: ModelChoice
) -> SpeechRequest:
    engine = services.tts.get(choice.model_id)
    with told_of(choice):
        if request.kind == "preset":  # by that name, or not at all
            find_voice(services, engine, request.voice)
        options, left_out = fitting_options(engine.options_type, request.options)
        adapted = replace(
            request,
            engine=choice.model_id,
            language=nearest_language(engine, request.language) or request.language,
            options=options,
            note=choice.note + without(left_out),
        )
        return _completed(services, adapted)


def _completed(services: Services, request: SpeechRequest) -> SpeechRequest:
    text = request.text.strip()
    limit = services.settings.max_text_characters
    if not text:
        raise BadInputError("There is no text to speak.", "Type what the voice should say.", "text")
    if len(text) > limit:
        raise BadInputError(
            f"The text has {len(text):,} characters; the limit is {limit:,}.",
            "Speak it in parts, or raise max_text_characters in the settings.",
            "text",
        )
    if request.kind not in ("sample", "preset", "description"):
        raise BadInputError(
            f"A voice is a sample, a preset or a description, not {request.kind!r}."
        )
    model_id = request.engine or services.settings.tts_model
    engine = services.tts.get(model_id)
    language = language_to_speak(services, engine, request.language)
    options = with_pronunciations(services, engine, language, text, request.options)
    engine_options(engine, options, language, 0)
    if has_markup(text):
        spoken_steps(engine, text, language, 0, options)
    _check_voice(services, engine, request)
    seed = secrets.randbelow(2**31) if request.seed is None or request.seed < 0 else request.seed
    if seed >= 2**31:
        raise BadInputError(f"The seed is {seed}.", f"It must lie between 0 and {2**31 - 1}.")
    fmt = request.output_format or services.settings.output_format
    if fmt not in ("wav", "flac", "mp3"):
        raise BadInputError(f"Unknown audio format {fmt!r}.", "Choose wav, flac or mp3.")
    return replace(
        request,
        text=text,
        engine=model_id,
        language=language,
        options=options,
        seed=seed,
        output_format=fmt,
    )


def language_to_speak(services: Services, engine: TTSEngine, language: str) -> str:
    """That language, or for "" the usual one. Raises BadInputError."""
    language = language or usual_language(services, engine)
    check_language(engine, language)
    return language


def speak(
    services: Services,
    request: SpeechRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    hear: Callable[[Speech], None] = lambda piece: None,
) -> Take:
    """Speaks the text and keeps the result in the history; `hear` gets each piece as it is made.

    Raises StudioError for what cannot be done and JobCancelled when `cancel` is set; a cancelled
    take leaves nothing in the history.
    """
    cancel = cancel or CancelToken()
    performed = perform(services, request, progress, cancel, hear)
    scores = Scores()
    if request.score:
        progress(0.9, "Listening to the result")
        scores = timed(
            performed.timings_s,
            "score",
            lambda: score_speech(
                services, performed.speech, performed.request, performed.sample, cancel
            ),
        )
    take = keep(services, services.takes, performed, scores)
    progress(1.0, "Done")
    return take


@dataclass(frozen=True)
class Performance:
    """Speech that is not kept yet, and how it came about. `request` is the completed one."""

    request: SpeechRequest
    engine: TTSEngine
    sample: Sample | None
    voice: VoicePrompt | str
    speech: Speech
    timings_s: dict[str, float]
    speaker_samples: Mapping[str, str] = field(default_factory=dict)


def perform(
    services: Services,
    request: SpeechRequest,
    progress: Progress,
    cancel: CancelToken,
    hear: Callable[[Speech], None] = lambda piece: None,
) -> Performance:
    """Speaks the text; raises as `speak`. Until `keep`, finished passages wait on the disk."""
    request = complete_request(services, request)
    heard = False

    def hear_it(piece: Speech) -> None:
        nonlocal heard
        heard = True
        hear(piece)

    try:
        return _performed(services, request, progress, cancel, hear_it)
    except UNUSABLE as error:
        choice = instead_of_broken(services, services.tts, request.engine, error)
        if choice is None or heard or not request.may_fall_back:
            raise
        logger.warning(choice.note)
        other = _completed_for(services, request, choice)
        return _performed(services, other, progress, cancel, hear)


def _performed(
    services: Services,
    request: SpeechRequest,
    progress: Progress,
    cancel: CancelToken,
    hear: Callable[[Speech], None],
) -> Performance:
    engine = services.tts.get(request.engine)
    tell_load(services, request.engine, progress)
    timings: dict[str, float] = {}
    sample, voice = timed(
        timings,
        "prepare_voice",
        lambda: _prepare_voice(services, request, scaled(progress, 0.0, 0.5), cancel),
    )
    speaking = scaled(progress, 0.5 if sample else 0.0, 0.9)
    folder = _passages_folder(services, request, voice)
    steps = spoken_steps(engine, request.text, request.language, request.seed or 0, request.options)
    speech = timed(
        timings,
        "speak",
        lambda: speak_passages(engine, voice, steps, folder, speaking, cancel, hear),
    )
    return Performance(request, engine, sample, voice, speech, timings)


def keep(
    services: Services, takes: TakeLibrary, performed: Performance, scores: Scores | None = None
) -> Take:
    """Keeps speech as a take, with everything needed to make it again. Raises DiskFullError."""
    request = performed.request
    fields = _take_fields(performed, scores or Scores())
    take = takes.save(fields, performed.speech, request.output_format)
    shutil.rmtree(_passages_folder(services, request, performed.voice), ignore_errors=True)
    return take


def timed(timings: dict[str, float], name: str, work: Callable[[], Result]) -> Result:
    """Runs `work` and notes its seconds under `name`."""
    start = time.monotonic()
    result = work()
    timings[name] = round(time.monotonic() - start, 3)
    return result


def _check_voice(services: Services, engine: TTSEngine, request: SpeechRequest) -> None:
    if request.kind == "sample":
        sample = services.samples.voice(request.voice)
        if not engine.can_clone:
            raise BadInputError(
                f"{engine.label} cannot clone a voice.", "Choose an engine that can."
            )
        if sample.parts and not takes_several(services.tts.entry(engine.model_id)):
            raise BadInputError(
                f"{engine.label} takes a voice from one sample only.",
                "Name one sample, or choose XTTS.",
                "voice",
            )
    elif (request.kind == "description") != designs_voices(services.tts.entry(engine.model_id)):
        described = request.kind == "description"
        raise BadInputError(
            f"{engine.label} {'cannot make' if described else 'can only make'} a voice from a "
            "description.",
            "Choose another engine.",
            "voice",
        )


def _prepare_voice(
    services: Services, request: SpeechRequest, progress: Progress, cancel: CancelToken
) -> tuple[Sample | None, VoicePrompt | str]:
    if request.kind != "sample":
        return None, fixed_voice(services.tts.get(request.engine), request.voice)
    sample = services.samples.voice(request.voice)
    prompt, _ = services.tts.prepare_voice(request.engine, sample, progress, cancel)
    return sample, prompt


def _passages_folder(services: Services, request: SpeechRequest, voice: VoicePrompt | str) -> Path:
    identity = {
        "request": {**asdict(request), "score": None, "output_format": None, "made_from": None},
        "voice": voice if isinstance(voice, str) else voice.key,
        "version": APP_VERSION,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
    return services.settings.cache_folder / "speaking" / digest[:24]


def _take_fields(performed: Performance, scores: Scores) -> dict[str, Any]:
    request, engine, voice = performed.request, performed.engine, performed.voice
    sample = performed.sample
    options: Any = engine_options(engine, request.options, request.language, request.seed or 0)
    return {
        "text": request.text,
        "kind": request.kind,
        "voice": sample.name if sample else request.voice,
        "engine": engine.label,
        "model_id": engine.model_id,
        "model_revision": engine.model_revision,
        "language": request.language,
        "seed": request.seed,
        "options": asdict(options),
        "sample_sha256": sample.audio_sha256 if sample else None,
        "prompt_key": voice.key if isinstance(voice, VoicePrompt) else None,
        "ref_text": sample.ref_text if sample else "",
        "scores": scores,
        "timings_s": performed.timings_s,
        "app_version": APP_VERSION,
        "environment": computing_environment(
            engine.precision, engine.attention if isinstance(engine, AttentiveEngine) else ""
        ),
        "notes": (*filter(None, [request.note]), *performed.speech.notes),
        "made_from": request.made_from,
        "audio_sha256": audio_sha256(performed.speech),
        "speaker_samples": performed.speaker_samples,
    }


def request_of_take(take: Take) -> SpeechRequest:
    """The request that a take came from, seed and every parameter included."""
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
    )


def read_take(take: Take) -> Speech:
    """The take's audio as it lies on disk."""
    return read_speech(take.path)
