"""Recordings in, text with times out."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.base import (
    ASREngine,
    Transcription,
    describe_options,
    parse_options,
)
from modules.core_components.atomic import atomic_path
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.library.names import unique_path
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.subtitles import FORMATS, render
from modules.core_components.values import Segment, Speech, Transcript
from modules.tools.models.memory import tell_load
from modules.tools.services import Services
from modules.tools.speaking.fallback import (
    UNUSABLE,
    ModelChoice,
    choose_listening_model,
    fitting_options,
    instead_of_broken,
    told_of,
    without,
)

logger = logging.getLogger(__name__)

HOTWORDS = "hotwords"


@dataclass(frozen=True)
class TranscribeRequest:
    """What to listen to. `language` "" lets the model find it; `options` are the engine's.

    Without `may_fall_back` it is that model or an error; `note` says why another model than the one
    asked for listens (see `fallback`).
    """

    path: Path
    model_id: str = ""
    language: str = ""
    title: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    may_fall_back: bool = True
    note: str = ""


def transcribe(
    services: Services,
    request: TranscribeRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Transcript:
    """Listens to a recording (any container that FFmpeg reads, video too).

    A model that is missing or broken gives way to the fallback of the settings, which the
    transcript's notes tell.
    """
    cancel = cancel or CancelToken()
    request = complete_transcription(services, request)
    progress(0.0, "Reading the recording")
    try:
        return _transcribed(services, request, progress, cancel)
    except UNUSABLE as error:
        choice = instead_of_broken(services, services.asr, request.model_id, error)
        if choice is None or not request.may_fall_back:
            raise
        logger.warning(choice.note)
        return _transcribed(services, _completed_for(services, request, choice), progress, cancel)


def _transcribed(
    services: Services, request: TranscribeRequest, progress: Progress, cancel: CancelToken
) -> Transcript:
    speech = _recording(services, request)
    heard = transcribe_speech(
        services, speech, request.model_id, request.language, progress, cancel, request.options
    )
    return replace(heard, notes=(*filter(None, [request.note]), *heard.notes))


def complete_transcription(services: Services, request: TranscribeRequest) -> TranscribeRequest:
    """The request with its model, checked as far as it can be without recording and weights.

    Raises BadInputError.
    """
    choice = choose_listening_model(services, request.model_id)
    if choice.note and request.may_fall_back:
        return _completed_for(services, request, choice)
    request = replace(request, model_id=request.model_id or services.settings.asr_model)
    check_transcription(services, request)
    return request


def _completed_for(
    services: Services, request: TranscribeRequest, choice: ModelChoice
) -> TranscribeRequest:
    listener = services.asr.get(choice.model_id)
    options, left_out = fitting_options(listener.options_type, _renamed(listener, request.options))
    note = choice.note + without(left_out)
    adapted = replace(request, model_id=choice.model_id, options=options, note=note)
    with told_of(choice):
        check_transcription(services, adapted)
    return adapted


def check_transcription(services: Services, request: TranscribeRequest) -> None:
    """Finds what can be found without a recording and a model. Raises BadInputError."""
    listener = services.asr.get(request.model_id or services.settings.asr_model)
    language = request.language.strip().lower()
    _options(listener, request.options, language)
    known = {code.partition("-")[0] for code in listener.languages}
    if known and language not in ("", "auto") and language.partition("-")[0] not in known:
        raise BadInputError(
            f"{listener.label} does not know the language {request.language!r}.",
            f"It knows {', '.join(sorted(known))}.",
            "language",
        )


def transcribe_speech(
    services: Services,
    speech: Speech,
    model_id: str,
    language: str,
    progress: Progress,
    cancel: CancelToken,
    given: Mapping[str, Any] | None = None,
) -> Transcript:
    """Listens to audio in memory; raises JobCancelled between segments once `cancel` is set."""
    listener = services.asr.get(model_id or services.settings.asr_model)
    tell_load(services, listener.model_id, progress)
    running = _started(listener, speech, language, progress, cancel, given or {})
    segments = tuple(running.segments)
    return Transcript(
        text="".join(text_parts(segments)),
        language=running.info.language,
        segments=segments,
        duration_s=speech.duration_s,
        model_id=listener.model_id,
        language_probability=running.info.language_probability,
        notes=tuple(running.notes),
    )


def live_transcription(
    services: Services, request: TranscribeRequest, cancel: CancelToken
) -> Generator[Segment, None, None]:
    """The segments of a recording, each listened to when it is asked for.

    It holds the model until it is closed or at its end; raises JobCancelled between segments once
    `cancel` is set.
    """
    speech = _recording(services, request)
    listener = services.asr.get(request.model_id or services.settings.asr_model)
    running = _started(listener, speech, request.language, no_progress, cancel, request.options)
    yield from running.segments


def text_parts(segments: Iterable[Segment]) -> Iterator[str]:
    """What each segment adds to the transcript's text."""
    for index, segment in enumerate(segments):
        yield (" " if index else "") + segment.text.strip()


def _recording(services: Services, request: TranscribeRequest) -> Speech:
    """The recording at the rate its listener hears at."""
    listener = services.asr.entry(request.model_id or services.settings.asr_model)
    return read_speech(request.path, sample_rate_hz=listener.sample_rate_hz)


def _started(
    listener: ASREngine,
    speech: Speech,
    language: str,
    progress: Progress,
    cancel: CancelToken,
    given: Mapping[str, Any],
) -> Transcription:
    return listener.transcribe(speech, _options(listener, given, language), progress, cancel)


def takes_hotwords(services: Services, model_id: str) -> bool:
    """Whether a listening model can be told which names and terms to expect."""
    names = {item.name for item in describe_options(services.asr.get(model_id).options_type)}
    return HOTWORDS in names


def _options(listener: ASREngine, given: Mapping[str, Any], language: str) -> Any:
    given = _renamed(listener, given)
    return parse_options(listener.options_type, {**given, "language": language or "auto"})


def _renamed(listener: ASREngine, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options, a prompt as hotwords where the listener takes only those."""
    names = {item.name for item in describe_options(listener.options_type)}
    if "initial_prompt" not in names and HOTWORDS in names:
        return {HOTWORDS if name == "initial_prompt" else name: v for name, v in given.items()}
    return given


def transcripts_folder(services: Services) -> Path:
    """Where transcripts are kept; it may not exist yet."""
    return services.settings.output_folder / "transcripts"


def keep_transcript(services: Services, transcript: Transcript, title: str) -> Path:
    """Keeps a transcript as JSON under output/transcripts; returns where."""
    folder = transcripts_folder(services)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    target = unique_path(folder, f"{stamp} {title}", ".json")
    with atomic_path(target) as partial:
        partial.write_text(render(transcript, "json"), encoding="utf-8")
    return target


def write_transcript(transcript: Transcript, fmt: str, target: Path) -> Path:
    """Writes a transcript as txt, srt, vtt or json."""
    if fmt not in FORMATS:
        raise BadInputError(f"Unknown format {fmt!r}.", f"Choose one of {', '.join(FORMATS)}.")
    with atomic_path(target) as partial:
        partial.write_text(render(transcript, fmt), encoding="utf-8")
    return target
