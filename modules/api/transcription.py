"""POST /v1/audio/transcriptions and /translations: a recording in, text out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, UploadFile
from pydantic import BeforeValidator
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from modules.api.diarization import (
    FewestSpeakers,
    KnownNames,
    KnownReferences,
    MostSpeakers,
    Recording,
    known_recordings,
)
from modules.api.errors import ApiError, blame, describe_error
from modules.api.models import LISTENING_ALIASES, choose_listener
from modules.api.schemas import lower_case
from modules.api.streaming import (
    EVENTS,
    ApiContext,
    answer_streamed,
    answer_whole,
    event,
    fallback_headers,
    in_turn,
)
from modules.api.uploads import store_upload
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.text.languages import language_name
from modules.core_components.text.subtitles import render
from modules.core_components.values import FloatArray, Segment, Transcript
from modules.tools.listening.speakers import OFF, recognize, speakers_between
from modules.tools.listening.transcribe import (
    CompletedTranscription,
    TranscribeRequest,
    complete_transcription,
    live_transcription,
    text_parts,
    transcribe_file,
)
from modules.tools.services import Services

TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
DIARIZED = "diarized_json"
GRANULARITIES = ("word", "segment")
ModelName = Annotated[str, Form(description="An installed listening model, or whisper-1.")]
SpokenLanguage = Annotated[
    str, Form(description="Such as en, pt-BR or english; left out, it is found.")
]
Prompt = Annotated[str, Form(description="Text in the style and with the names to expect.")]
Answer = Annotated[
    TranscriptFormat, BeforeValidator(lower_case), Form(description="The format of the answer.")
]
Temperature = Annotated[float, Form(ge=0.0, le=1.0, description="0 takes the likeliest words.")]
Streamed = Annotated[bool, Form(description="true: the text as events, while it is transcribed.")]
TrackNumber = Annotated[
    int, Form(ge=0, description="The audio track, counted from 1; 0 is the file's default.")
]
Granularities = Annotated[
    list[str],
    Form(
        alias="timestamp_granularities[]",
        description="segment, or word: the time of every word, too; also without the brackets.",
    ),
]

Diarize = Annotated[
    bool, Form(description="true: tell the speakers apart; diarized_json does so by itself.")
]
_GRANULARITIES_FIELD = re.compile(r"timestamp_granularities(\[\d*\])?")
_STREAMED_FORMATS: tuple[TranscriptFormat, ...] = ("json", "text")
_TIMED_FORMATS: tuple[TranscriptFormat, ...] = ("srt", "vtt", "verbose_json", "diarized_json")
_RENDERED: Mapping[str, str] = {"text": "txt", "srt": "srt", "vtt": "vtt"}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The transcript in the format asked for, or server-sent events.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/plain": {"schema": {"type": "string"}},
            EVENTS: {},
        },
    }
}


def transcription_routes(context: ApiContext) -> APIRouter:
    """The routes that transcribe."""
    router = APIRouter(tags=["Transcription"])

    @router.post("/v1/audio/transcriptions", response_class=Response, responses=_RESPONSES)
    async def create_transcription(
        request: Request,
        file: Recording,
        model: ModelName = LISTENING_ALIASES[0],
        language: SpokenLanguage = "",
        prompt: Prompt = "",
        response_format: Answer = "json",
        temperature: Temperature = 0.0,
        stream: Streamed = False,
        track: TrackNumber = 0,
        timestamp_granularities: Granularities = ["segment"],  # noqa: B006 - FastAPI copies it
        diarize: Diarize = False,
        min_speakers: FewestSpeakers = None,
        max_speakers: MostSpeakers = None,
        known_speaker_names: KnownNames = [],  # noqa: B006
        known_speaker_references: KnownReferences = [],  # noqa: B006
    ) -> Response:
        """Transcribes a recording in the language that is spoken in it."""
        options = _options(prompt, temperature)
        if "word" in _granularities(await request.form()):
            options["word_timestamps"] = True
        bounds = (min_speakers, max_speakers)
        speakers = speakers_between(*bounds) if diarize or response_format == DIARIZED else OFF
        wanted = TranscribeRequest(
            Path(), model, language, options=options, track=track, speakers=speakers
        )
        known = known_recordings(known_speaker_names, known_speaker_references)
        return await _answer(context, request, file, wanted, response_format, stream, known)

    @router.post("/v1/audio/translations", response_class=Response, responses=_RESPONSES)
    async def create_translation(
        request: Request,
        file: Recording,
        model: ModelName = LISTENING_ALIASES[0],
        prompt: Prompt = "",
        response_format: Answer = "json",
        temperature: Temperature = 0.0,
        stream: Streamed = False,
        track: TrackNumber = 0,
    ) -> Response:
        """Translates a recording in another language to English."""
        options = {**_options(prompt, temperature), "task": "translate"}
        wanted = TranscribeRequest(Path(), model, options=options, track=track)
        return await _answer(context, request, file, wanted, response_format, stream)

    return router


def _granularities(form: FormData) -> frozenset[str]:
    """What times are asked for, as clients write it: the field once for each, or with commas, with
    or without brackets or a number in them. Raises ApiError."""
    given = [
        str(value) for name, value in form.multi_items() if _GRANULARITIES_FIELD.fullmatch(name)
    ]
    words = frozenset(word for value in given for word in re.findall(r"[^\s,\[\]\"\']+", value))
    unknown = sorted(words - {*GRANULARITIES})
    if unknown:
        message = f"There is no granularity {unknown[0]!r}. There are: {', '.join(GRANULARITIES)}."
        raise ApiError(400, message, "timestamp_granularities", "invalid_value")
    return words


def _options(prompt: str, temperature: float) -> dict[str, Any]:
    """Only what was asked for: not every model knows these options."""
    given: dict[str, Any] = {"initial_prompt": prompt} if prompt else {}
    return given | ({"temperature": temperature} if temperature else {})


async def _answer(
    context: ApiContext,
    request: Request,
    file: UploadFile,
    wanted: TranscribeRequest,
    fmt: TranscriptFormat,
    stream: bool,
    known: Mapping[str, bytes] = MappingProxyType({}),
) -> Response:
    services = context.services
    completed = await run_in_threadpool(_complete, services, wanted, fmt, stream)
    folder, recording = await run_in_threadpool(store_upload, services, file)
    headers = fallback_headers(completed.model_id, completed.note)

    def count(heard_s: float) -> None:
        family = services.asr.entry(completed.model_id).family
        context.traffic.metrics.note_heard(family, heard_s)

    def make(cancel: CancelToken) -> Generator[bytes, None, None]:
        if stream:
            with closing(live_transcription(services, completed, recording, cancel)) as segments:
                yield from _events(segments, count)
        else:
            voices: dict[str, FloatArray] = {}
            transcript = transcribe_file(
                services, completed, recording, no_progress, cancel, on_voices=voices.update
            )
            count(transcript.duration_s)
            transcript = _with_names(transcript, recognize(services, voices, known))
            yield _format(transcript, fmt, completed.given, known)

    def make_and_clean_up(cancel: CancelToken) -> Generator[bytes, None, None]:
        with folder:  # also while the request waits
            yield from in_turn(context, request, make)(cancel)

    try:
        if stream:
            return await answer_streamed(
                request,
                make_and_clean_up,
                EVENTS,
                headers,
                lambda error: event(describe_error(error)),
            )
        kind = "text/plain; charset=utf-8" if fmt in _RENDERED else "application/json"
        return await answer_whole(request, make_and_clean_up, kind, headers)
    except BadInputError as error:
        raise blame(error.about or "file", error) from error


def _complete(
    services: Services, wanted: TranscribeRequest, fmt: TranscriptFormat, stream: bool
) -> CompletedTranscription:
    if stream and fmt not in _STREAMED_FORMATS:
        raise BadInputError(
            f"A stream carries text and no {fmt}.",
            f"Ask for {' or '.join(_STREAMED_FORMATS)}, or for the whole.",
            "stream",
        )
    if stream and wanted.speakers:
        raise BadInputError(
            "A stream does not tell speakers apart.", "Ask for the whole.", "stream"
        )
    if fmt == DIARIZED and not wanted.speakers:
        raise BadInputError(
            "A translation does not tell speakers apart.",
            "Ask for another response_format.",
            "response_format",
        )
    if wanted.options.get("word_timestamps") and fmt != "verbose_json":
        raise BadInputError(
            "Word times come with verbose_json only.",
            "Ask for this response_format.",
            "timestamp_granularities",
        )
    # The headers that name a fallback are sent before the model is loaded: none is chosen later.
    wanted = replace(wanted, timed=fmt in _TIMED_FORMATS)
    choice = choose_listener(services, wanted.model_id)
    return replace(complete_transcription(services, wanted, choice), may_fall_back=False)


def _format(
    transcript: Transcript,
    fmt: TranscriptFormat,
    options: Mapping[str, Any],
    known: Collection[str],
) -> bytes:
    """The whole transcript; `options` are those it was made with."""
    if fmt in _RENDERED:
        return render(transcript, _RENDERED[fmt]).encode()
    if fmt == DIARIZED:
        return _json(_diarized(transcript, known))
    return _json({"text": transcript.text} if fmt == "json" else _verbose(transcript, options))


def _verbose(transcript: Transcript, options: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's verbose_json, times in seconds; fields that no model measures are left out."""
    words = [
        {"word": word.text, "start": word.start_s, "end": word.end_s, **_speaker(segment)}
        for segment in transcript.segments
        for word in segment.words
    ]
    return {
        "task": options.get("task", "transcribe"),
        "language": language_name(transcript.language).lower(),
        "duration": transcript.duration_s,
        "text": transcript.text,
        "segments": [
            {
                "id": number,
                "start": segment.start_s,
                "end": segment.end_s,
                "text": segment.text,
                **_speaker(segment),
            }
            for number, segment in enumerate(transcript.segments)
        ],
        **({"words": words} if options.get("word_timestamps") else {}),
    }


def _with_names(transcript: Transcript, names: Mapping[str, str]) -> Transcript:
    """The transcript with the names of speakers who were recognized."""
    segments = (
        replace(segment, speaker=names.get(segment.speaker or "", segment.speaker))
        for segment in transcript.segments
    )
    return replace(transcript, segments=tuple(segments)) if names else transcript


def _speaker(segment: Segment) -> dict[str, str]:
    """WhisperX's field, where somebody is known to speak."""
    return {"speaker": segment.speaker} if segment.speaker else {}


def _diarized(transcript: Transcript, known: Collection[str]) -> dict[str, Any]:
    """OpenAI's diarized_json; speakers who are not known by name are A, B, ... in the order in
    which they begin."""
    found = dict.fromkeys(filter(None, (segment.speaker for segment in transcript.segments)))
    unknown = (name for name in found if name not in known)
    names = {name: name for name in known} | {
        name: _letters(place) for place, name in enumerate(unknown)
    }
    return {
        "task": "transcribe",
        "duration": transcript.duration_s,
        "text": transcript.text,
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": f"seg_{number:03d}",
                "start": segment.start_s,
                "end": segment.end_s,
                "text": segment.text,
                "speaker": names.get(segment.speaker or "", ""),
            }
            for number, segment in enumerate(transcript.segments, start=1)
        ],
        "usage": {"type": "duration", "seconds": transcript.duration_s},
    }


def _letters(place: int) -> str:
    """A to Z, then AA, AB and so on."""
    first, last = divmod(place, 26)
    return (_letters(first - 1) if first else "") + chr(ord("A") + last)


def _events(
    segments: Iterable[Segment], count: Callable[[float], None]
) -> Generator[bytes, None, None]:
    """OpenAI's server-sent events: what each segment adds to the text, then the whole text.

    `count` gets how many seconds were transcribed, up to the end of the last segment.
    """
    text, heard_s = "", 0.0

    def noted() -> Generator[Segment, None, None]:
        nonlocal heard_s
        for segment in segments:
            heard_s = max(heard_s, segment.end_s)
            yield segment

    for part in text_parts(noted()):
        text += part
        yield event({"type": "transcript.text.delta", "delta": part})
    count(heard_s)
    yield event({"type": "transcript.text.done", "text": text})


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()
