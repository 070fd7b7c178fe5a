"""POST /v1/audio/transcriptions and /translations: a recording in, text out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from modules.api.context import ApiContext
from modules.api.errors import ApiError, blamed_on
from modules.api.names import LISTENING_ALIASES, listening_model
from modules.api.work import Work
from modules.core_components.audio.decode import RAW_FORMATS
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.text.language_names import language_name
from modules.core_components.text.subtitles import render
from modules.core_components.values import Transcript
from modules.tools.services import Services
from modules.tools.transcribe import TranscribeRequest, check_transcription, transcribe

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]
Granularity = Literal["word", "segment"]
_RENDERED: Mapping[str, str] = {"text": "txt", "srt": "srt", "vtt": "vtt"}

Recording = Annotated[UploadFile, File(description="Sound or video, any common container.")]
ModelName = Annotated[str, Form(description="An installed listening model, or whisper-1.")]
Prompt = Annotated[str, Form(description="Text in the style and with the names to expect.")]
Answer = Annotated[Format, Form(description="What to answer with.")]
Temperature = Annotated[float, Form(ge=0.0, le=1.0, description="0 takes the likeliest words.")]
Granularities = Annotated[
    list[Granularity],
    Form(alias="timestamp_granularities[]", description="word: the time of every word, too."),
]


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
        timestamp_granularities: Granularities = ["segment"],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Writes down what was said, in the language it was said in."""
        with_words = "word" in timestamp_granularities
        if with_words and response_format != "verbose_json":
            raise ApiError(
                400,
                "Word times come with response_format verbose_json only.",
                "timestamp_granularities",
                "invalid_value",
            )
        options = _options(prompt, temperature) | ({"word_timestamps": True} if with_words else {})
        wanted = TranscribeRequest(Path(), model, language, options=options)
        transcript = await _heard(context, request, file, wanted)
        return _answer(transcript, response_format, "transcribe", with_words)

    @router.post("/v1/audio/translations", response_class=Response, responses=_RESPONSES)
    async def create_translation(
        request: Request,
        file: Recording,
        model: ModelName = LISTENING_ALIASES[0],
        prompt: Prompt = "",
        response_format: Answer = "json",
        temperature: Temperature = 0.0,
    ) -> Response:
        """Writes down in English what was said in another language."""
        options = {**_options(prompt, temperature), "task": "translate"}
        wanted = TranscribeRequest(Path(), model, options=options)
        transcript = await _heard(context, request, file, wanted)
        return _answer(transcript, response_format, "translate", with_words=False)

    return router


def _options(prompt: str, temperature: float) -> dict[str, Any]:
    """Only what was asked for: not every listener knows these options."""
    given: dict[str, Any] = {"initial_prompt": prompt} if prompt else {}
    return given | ({"temperature": temperature} if temperature else {})


async def _heard(
    context: ApiContext, request: Request, file: UploadFile, wanted: TranscribeRequest
) -> Transcript:
    services = context.services
    wanted = await run_in_threadpool(_checked, services, wanted)
    with tempfile.TemporaryDirectory(prefix="recording-", dir=services.settings.cache_folder) as at:
        path = await run_in_threadpool(_stored, file, Path(at))

        def make(cancel: CancelToken) -> Generator[Transcript, None, None]:
            with context.turns.taken(cancel):
                yield transcribe(services, replace(wanted, path=path), no_progress, cancel)

        try:
            return await anext(Work(request, make).pieces())
        except BadInputError as error:
            raise blamed_on(error.about or "file", error) from error


def _checked(services: Services, wanted: TranscribeRequest) -> TranscribeRequest:
    wanted = replace(wanted, model_id=listening_model(services, wanted.model_id))
    check_transcription(services, wanted)
    return wanted


def _stored(file: UploadFile, folder: Path) -> Path:
    """The upload as a file of our own; of its name only a telling ending is kept."""
    suffix = Path(file.filename or "").suffix.lower()
    path = folder / f"recording{suffix if suffix in RAW_FORMATS else ''}"
    with path.open("wb") as target:
        shutil.copyfileobj(file.file, target)
    return path


def _answer(transcript: Transcript, fmt: str, task: str, with_words: bool) -> Response:
    if fmt in _RENDERED:
        return PlainTextResponse(render(transcript, _RENDERED[fmt]))
    if fmt == "json":
        return JSONResponse({"text": transcript.text})
    return JSONResponse(verbose(transcript, task, with_words))


def verbose(transcript: Transcript, task: str, with_words: bool) -> dict[str, Any]:
    """OpenAI's verbose_json, times in seconds; fields that nobody measured are left out."""
    words = [
        {"word": word.text, "start": word.start_s, "end": word.end_s}
        for segment in transcript.segments
        for word in segment.words
    ]
    return {
        "task": task,
        "language": language_name(transcript.language).lower(),
        "duration": transcript.duration_s,
        "text": transcript.text,
        "segments": [
            {"id": number, "start": segment.start_s, "end": segment.end_s, "text": segment.text}
            for number, segment in enumerate(transcript.segments)
        ],
        **({"words": words} if with_words else {}),
    }


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The transcript in the format asked for.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
