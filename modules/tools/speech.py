"""Text in, take out: the one way from a request to a clip in the history.

Page, API and command line all come through `speak`. Long texts are spoken in passages, each kept
on disk as soon as it is done, so that a crash costs one passage and not an evening.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from modules.core_components.ai_models.engines.base import AttentiveEngine, TTSEngine
from modules.core_components.atomic import atomic_path
from modules.core_components.audio.files import audio_sha256, read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.library import TakeLibrary
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.text.markup import has_markup
from modules.core_components.values import FloatArray, Sample, Scores, Speech, Take, VoicePrompt
from modules.core_components.version import APP_VERSION, computing_environment
from modules.tools.load_plans import tell_load
from modules.tools.own_voices import fixed_voice
from modules.tools.pronunciations import with_pronunciations
from modules.tools.ready_models import designs_voices, takes_several
from modules.tools.scores import score_speech
from modules.tools.services import Services
from modules.tools.spoken_steps import Passage, Silence, engine_options, passages, spoken_steps
from modules.tools.voices import check_language, usual_language

Result = TypeVar("Result")

# About 15 characters a second in English reading; only the progress bar depends on it.
CHARACTERS_PER_SECOND = 15.0


@dataclass(frozen=True)
class SpeechRequest:
    """What to say and how. `kind` is "sample" (voice = a sample's name), "preset", or "description"
    (voice = what it is like, for a model that designs voices).

    `seed` None draws one; `options` are those of the engine's options dataclass.
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


def complete_request(services: Services, request: SpeechRequest) -> SpeechRequest:
    """Fills what the user left open and checks what can be checked without loading a model.

    Raises BadInputError or NotFoundError, each saying what to do.
    """
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


def perform(
    services: Services,
    request: SpeechRequest,
    progress: Progress,
    cancel: CancelToken,
    hear: Callable[[Speech], None] = lambda piece: None,
) -> Performance:
    """Speaks the text; raises as `speak`. Until `keep`, finished passages wait on the disk."""
    request = complete_request(services, request)
    engine = services.tts.get(request.engine)
    tell_load(services, request.engine, progress)
    timings: dict[str, float] = {}
    sample, voice = timed(
        timings,
        "prepare_voice",
        lambda: _prepare_voice(services, request, scaled(progress, 0.0, 0.5), cancel),
    )
    speaking = scaled(progress, 0.5 if sample else 0.0, 0.9)
    speech = timed(
        timings,
        "speak",
        lambda: _speak_passages(services, engine, voice, request, speaking, cancel, hear),
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


def _speak_passages(
    services: Services,
    engine: TTSEngine,
    voice: VoicePrompt | str,
    request: SpeechRequest,
    progress: Progress,
    cancel: CancelToken,
    hear: Callable[[Speech], None],
) -> Speech:
    steps = spoken_steps(engine, request.text, request.language, request.seed or 0, request.options)
    folder = _passages_folder(services, request, voice)
    folder.mkdir(parents=True, exist_ok=True)
    rate_hz = engine.sample_rate_hz
    total, done = sum(len(passage.text) for passage in passages(steps)), 0
    spoken: list[FloatArray] = []
    notes: list[str] = []
    for step in steps:
        cancel.raise_if_cancelled()
        if isinstance(step, Silence):
            pause = step.speech(rate_hz)
            hear(pause)
            spoken.append(pause.samples)
            continue
        part = scaled(progress, done / total, (done + len(step.text)) / total)
        path = folder / f"{step.index:05d}.npy"
        audio = _kept_passage(path)
        if audio is not None:
            hear(Speech(audio, rate_hz))
        else:
            said = _speak_passage(engine, voice, step, part, cancel, hear)
            audio = said.samples
            notes += said.notes
            if not said.notes:  # they would be lost
                with atomic_path(path) as partial, partial.open("wb") as file:
                    np.save(file, audio, allow_pickle=False)
        spoken.append(audio)
        done += len(step.text)
    return Speech(np.concatenate(spoken), rate_hz, notes=tuple(notes))


def _speak_passage(
    engine: TTSEngine,
    voice: VoicePrompt | str,
    passage: Passage,
    progress: Progress,
    cancel: CancelToken,
    hear: Callable[[Speech], None],
) -> Speech:
    expected_s = len(passage.text) / CHARACTERS_PER_SECOND
    pieces: list[Speech] = []
    heard_s = 0.0
    for piece in engine.stream(passage.text, voice, passage.options, cancel):
        cancel.raise_if_cancelled()
        hear(piece)
        pieces.append(piece)
        heard_s += piece.duration_s
        progress(heard_s / (heard_s + max(expected_s - heard_s, 0.0)), "Speaking")
    samples = [np.zeros(0, np.float32), *(piece.samples for piece in pieces)]
    notes = tuple(note for piece in pieces for note in piece.notes)
    return Speech(np.concatenate(samples), engine.sample_rate_hz, notes=notes)


def _kept_passage(path: Path) -> FloatArray | None:
    try:
        kept: FloatArray = np.load(path, allow_pickle=False)
        return kept
    except (OSError, ValueError, EOFError):
        return None


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
        "notes": performed.speech.notes,
        "made_from": request.made_from,
        "audio_sha256": audio_sha256(performed.speech),
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
        output_format=take.path.suffix.lstrip("."),
    )


def read_take(take: Take) -> Speech:
    """The take's audio as it lies on disk."""
    return read_speech(take.path)
