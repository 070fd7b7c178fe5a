"""POST /v1/audio/transcriptions and /translations: a recording in, text out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.errors import blamed_on, told
from modules.api.streaming import ApiContext, fallback_headers, in_turn, streamed, whole
from modules.api.voices import LISTENING_ALIASES, listening_model
from modules.core_components.audio.files import RAW_FORMATS
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.text.languages import language_name
from modules.core_components.text.subtitles import render
from modules.core_components.values import Segment, Transcript
from modules.tools.listening.transcribe import (
    TranscribeRequest,
    complete_transcription,
    live_transcription,
    text_parts,
    transcribe,
)
from modules.tools.services import Services

# How a transcript is written for a client: five formats, or events while it is being made.


TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
STREAMED_FORMATS: tuple[TranscriptFormat, ...] = ("json", "text")
EVENTS = "text/event-stream"
_RENDERED: Mapping[str, str] = {"text": "txt", "srt": "srt", "vtt": "vtt"}


def media_type(fmt: TranscriptFormat) -> str:
    """What `written` writes, as HTTP says it."""
    return "text/plain; charset=utf-8" if fmt in _RENDERED else "application/json"


def written(transcript: Transcript, fmt: TranscriptFormat, options: Mapping[str, Any]) -> bytes:
    """The whole transcript, as it came of the listener's `options`."""
    if fmt in _RENDERED:
        return render(transcript, _RENDERED[fmt]).encode()
    about = {"text": transcript.text} if fmt == "json" else _verbose(transcript, options)
    return _json(about).encode()


def events(segments: Iterable[Segment]) -> Generator[bytes, None, None]:
    """OpenAI's server-sent events: what each segment adds to the text, at last the whole text."""
    text = ""
    for part in text_parts(segments):
        text += part
        yield event({"type": "transcript.text.delta", "delta": part})
    yield event({"type": "transcript.text.done", "text": text})


def event(about: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {_json(about)}\n\n".encode()


def _verbose(transcript: Transcript, options: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's verbose_json, times in seconds; fields that nobody measured are left out."""
    words = [
        {"word": word.text, "start": word.start_s, "end": word.end_s}
        for segment in transcript.segments
        for word in segment.words
    ]
    return {
        "task": options.get("task", "transcribe"),
        "language": language_name(transcript.language).lower(),
        "duration": transcript.duration_s,
        "text": transcript.text,
        "segments": [
            {"id": number, "start": segment.start_s, "end": segment.end_s, "text": segment.text}
            for number, segment in enumerate(transcript.segments)
        ],
        **({"words": words} if options.get("word_timestamps") else {}),
    }


def _json(about: Mapping[str, Any]) -> str:
    return json.dumps(about, ensure_ascii=False)


Granularity = Literal["word", "segment"]
Recording = Annotated[UploadFile, File(description="Sound or video, any common container.")]
ModelName = Annotated[str, Form(description="An installed listening model, or whisper-1.")]
Prompt = Annotated[str, Form(description="Text in the style and with the names to expect.")]
Answer = Annotated[TranscriptFormat, Form(description="What to answer with.")]
Temperature = Annotated[float, Form(ge=0.0, le=1.0, description="0 takes the likeliest words.")]
Streamed = Annotated[bool, Form(description="true: the text as events, while it is heard.")]
Granularities = Annotated[
    list[Granularity],
    Form(alias="timestamp_granularities[]", description="word: the time of every word, too."),
]


@dataclass(frozen=True)
class Shape:
    """What the client wants to get."""

    response_format: TranscriptFormat
    stream: bool


def transcription_routes(context: ApiContext) -> APIRouter:
    """The routes that listen."""
    router = APIRouter(tags=["Transcription"])

    @router.post("/v1/audio/transcriptions", response_class=Response, responses=_RESPONSES)
    async def create_transcription(
        request: Request,
        file: Recording,
        model: ModelName = LISTENING_ALIASES[0],
        language: Annotated[str, Form(description="ISO 639-1; left out, it is found.")] = "",
        prompt: Prompt = "",
        response_format: Answer = "json",
        temperature: Temperature = 0.0,
        stream: Streamed = False,
        timestamp_granularities: Granularities = ["segment"],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Writes down what was said, in the language it was said in."""
        options = _options(prompt, temperature)
        if "word" in timestamp_granularities:
            options["word_timestamps"] = True
        wanted = TranscribeRequest(Path(), model, language, options=options)
        return await _heard(context, request, file, wanted, Shape(response_format, stream))

    @router.post("/v1/audio/translations", response_class=Response, responses=_RESPONSES)
    async def create_translation(
        request: Request,
        file: Recording,
        model: ModelName = LISTENING_ALIASES[0],
        prompt: Prompt = "",
        response_format: Answer = "json",
        temperature: Temperature = 0.0,
        stream: Streamed = False,
    ) -> Response:
        """Writes down in English what was said in another language."""
        options = {**_options(prompt, temperature), "task": "translate"}
        wanted = TranscribeRequest(Path(), model, options=options)
        return await _heard(context, request, file, wanted, Shape(response_format, stream))

    return router


def _options(prompt: str, temperature: float) -> dict[str, Any]:
    """Only what was asked for: not every listener knows these options."""
    given: dict[str, Any] = {"initial_prompt": prompt} if prompt else {}
    return given | ({"temperature": temperature} if temperature else {})


async def _heard(
    context: ApiContext, request: Request, file: UploadFile, wanted: TranscribeRequest, shape: Shape
) -> Response:
    services = context.services
    wanted = await run_in_threadpool(_checked, services, wanted, shape)
    folder, wanted = await run_in_threadpool(_stored, services, file, wanted)
    headers = fallback_headers(wanted.model_id, wanted.note)

    def make(cancel: CancelToken) -> Generator[bytes, None, None]:
        if shape.stream:
            with closing(live_transcription(services, wanted, cancel)) as segments:
                yield from events(segments)
        else:
            heard = transcribe(services, wanted, no_progress, cancel)
            yield written(heard, shape.response_format, wanted.options)

    def kept(cancel: CancelToken) -> Generator[bytes, None, None]:
        with folder:  # in line, too
            yield from in_turn(context, request, make)(cancel)

    try:
        if shape.stream:
            return await streamed(request, kept, EVENTS, headers, lambda error: event(told(error)))
        return await whole(request, kept, media_type(shape.response_format), headers)
    except BadInputError as error:
        raise blamed_on(error.about or "file", error) from error


def _checked(services: Services, wanted: TranscribeRequest, shape: Shape) -> TranscribeRequest:
    fmt = shape.response_format
    if shape.stream and fmt not in STREAMED_FORMATS:
        raise BadInputError(
            f"A stream carries text and no {fmt}.",
            f"Ask for {' or '.join(STREAMED_FORMATS)}, or for the whole.",
            "stream",
        )
    if wanted.options.get("word_timestamps") and fmt != "verbose_json":
        raise BadInputError(
            "Word times come with verbose_json only.",
            "Ask for this response_format.",
            "timestamp_granularities",
        )
    wanted = replace(wanted, model_id=listening_model(services, wanted.model_id))
    # The header is sent before the model is loaded: what would be chosen then, it could not tell.
    return replace(complete_transcription(services, wanted), may_fall_back=False)


def _stored(
    services: Services, file: UploadFile, wanted: TranscribeRequest
) -> tuple[TemporaryDirectory[str], TranscribeRequest]:
    """The upload as a file of our own, gone with the folder that is returned.

    Of its name only a telling ending is kept.
    """
    folder = TemporaryDirectory(prefix="recording-", dir=services.settings.cache_folder)
    suffix = Path(file.filename or "").suffix.lower()
    path = Path(folder.name, f"recording{suffix if suffix in RAW_FORMATS else ''}")
    try:
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
    except BaseException:
        folder.cleanup()
        raise
    return folder, replace(wanted, path=path)


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
