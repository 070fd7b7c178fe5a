"""POST /v1/audio/speech; /dev/captioned_speech, /dev/read, /dev/phonemize and
/dev/generate_from_phonemes."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.errors import describe_error, errors_blaming
from modules.api.models import choose_speaker
from modules.api.schemas import (
    CaptionedBody,
    CaptionedSpeech,
    PhonemeSpeechBody,
    PhonemizeBody,
    Phonemized,
    ReadBody,
    ReadText,
    SpeechFields,
    SpeechFileBody,
)
from modules.api.streaming import (
    EVENTS,
    ApiContext,
    answer_streamed,
    answer_whole,
    event,
    fallback_headers,
    in_turn,
)
from modules.api.voices import OPENAI_VOICES
from modules.core_components.audio.encode import (
    MEDIA_TYPES,
    encode_each,
    encode_pieces,
    encode_whole,
)
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, Word
from modules.tools.services import Services
from modules.tools.speaking.live_speech import complete_live_speech, open_live_speech
from modules.tools.speaking.phonemes import (
    check_phonemize,
    open_phoneme_speech,
    phoneme_engine,
    phonemize,
    timed_from_the_start,
)
from modules.tools.speaking.reading import language_to_read, named_steps, read_text
from modules.tools.speaking.request import CompletedSpeech, SpeechRequest, check_api_text

OpenSpeech = Callable[[CancelToken], Generator[Speech, None, None]]

_LINES = "application/x-ndjson"
_SOUNDS_PER_SECOND = 20
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The sound, mono at 24 kHz; pcm is 16-bit little-endian without header.",
        "content": {**dict.fromkeys(MEDIA_TYPES.values(), _BYTES), EVENTS: {}},
    }
}
_CAPTIONED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": CaptionedSpeech,
        "description": "One object, or one for each line.",
        "content": {_LINES: {"schema": {"$ref": "#/components/schemas/CaptionedSpeech"}}},
    }
}


def speech_routes(context: ApiContext) -> APIRouter:
    """The routes that speak."""
    router = APIRouter(tags=["Speech"])
    services = context.services

    @router.post("/v1/audio/speech", response_class=Response, responses=_AUDIO)
    async def create_speech(request: Request, body: SpeechFileBody) -> Response:
        """Speaks a text; the sound arrives while it is made, unless `stream` is false."""
        with errors_blaming("input"):
            speech = await run_in_threadpool(_complete, services, body, body.input)
            live = partial(open_live_speech, services, speech)
            opened = _metered(context, request, speech.model_id, live)
            answer = _answer_in_events if body.stream_format == "sse" else _answer
            return await answer(context, request, body, speech, opened)

    @router.post("/dev/captioned_speech", response_class=Response, responses=_CAPTIONED)
    async def create_captioned_speech(request: Request, body: CaptionedBody) -> Response:
        """Speaks a text and says when each word is spoken, a line of JSON for each piece.

        The sounds of the lines, one after the other, are what /v1/audio/speech streams. An engine
        that does not know when it says what sends no times. A line {"error": ...} says that the
        speech could not be made to its end.
        """
        with errors_blaming("input"):
            return await answer_captioned(request, body)

    async def answer_captioned(request: Request, body: CaptionedBody) -> Response:
        speech = await run_in_threadpool(_complete, services, body, body.input)
        fmt, in_lines = body.response_format, body.stream is not False
        live = partial(open_live_speech, services, speech)
        opened = _metered(context, request, speech.model_id, live)

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            with closing(opened(cancel)) as pieces:
                timed = timed_from_the_start(pieces)
                if in_lines:
                    for piece, content in encode_each(timed, fmt):
                        yield _line(_captioned(content, fmt, piece.words))
                else:
                    yield json.dumps(_caption_whole(timed, fmt)).encode()

        work = in_turn(context, request, make)
        headers = fallback_headers(speech.model_id, speech.note)
        if in_lines:
            return await answer_streamed(
                request, work, _LINES, headers, lambda error: _line(describe_error(error))
            )
        return await answer_whole(request, work, "application/json", headers)

    @router.post("/dev/read")
    def create_reading(body: ReadBody) -> ReadText:
        """The words in which a text will be said, and what each step of the reading replaced."""
        with errors_blaming("text", text="text", as_written="steps"):
            check_api_text(services, body.text)
            model_id = choose_speaker(services, body.model).model_id if body.model else ""
            language = language_to_read(services, body.language, model_id)
            reading = read_text(services, body.text, language, model_id, named_steps(body.steps))
        return ReadText.model_validate(
            {"spoken": reading.spoken, **asdict(reading)}, from_attributes=True
        )

    @router.post("/dev/phonemize", response_model=Phonemized)
    async def create_phonemes(request: Request, body: PhonemizeBody) -> Response:
        """The phonemes that the model would speak for a text."""

        def check() -> tuple[str, str, str]:
            model_id = choose_speaker(services, body.model).model_id
            as_written = named_steps(body.steps)
            language = check_phonemize(services, model_id, body.text, body.language, as_written)
            return model_id, language, as_written

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            found = phonemize(services, model_id, body.text, language, as_written)
            sentences = [{"text": one.text, "phonemes": one.phonemes} for one in found]
            phonemes = " ".join(one.phonemes for one in found)
            yield json.dumps({"phonemes": phonemes, "sentences": sentences}).encode()

        with errors_blaming("text", text="text", as_written="steps"):
            model_id, language, as_written = await run_in_threadpool(check)
            return await answer_whole(request, in_turn(context, request, make), "application/json")

    @router.post("/dev/generate_from_phonemes", response_class=Response, responses=_AUDIO)
    async def create_speech_from_phonemes(request: Request, body: PhonemeSpeechBody) -> Response:
        """Speaks phonemes, answering as /v1/audio/speech does."""
        with errors_blaming("phonemes", text="phonemes"):
            speech = await run_in_threadpool(_complete, services, body, body.phonemes)
            phoneme_engine(services, speech.model_id)
            spoken = partial(open_phoneme_speech, services, speech)
            opened = _metered(context, request, speech.model_id, spoken)
            return await _answer(context, request, body, speech, opened)

    return router


def _complete(services: Services, fields: SpeechFields, text: str) -> CompletedSpeech:
    """The completed request. Raises ApiError and StudioError, each with the field at fault."""
    choice = choose_speaker(services, fields.model)
    options: dict[str, Any] = {} if fields.speed == 1.0 else {"speed": fields.speed}
    request = SpeechRequest(
        text=text,
        voice=fields.voice,
        kind="",
        language=fields.language,
        seed=fields.seed,
        options=options,
        voice_aliases=OPENAI_VOICES,
    )
    return complete_live_speech(services, request, choice)


def _metered(
    context: ApiContext, request: Request, model_id: str, open_speech: OpenSpeech
) -> OpenSpeech:
    """The same speech, counted: when its first sound was made, and how much it is."""
    arrived_s: float = request.state.arrived_s

    def opened(cancel: CancelToken) -> Generator[Speech, None, None]:
        metrics = context.traffic.metrics
        family, is_first = context.services.tts.entry(model_id).family, True
        with closing(open_speech(cancel)) as pieces:
            for piece in pieces:
                if is_first:
                    metrics.note_first_audio(time.monotonic() - arrived_s)
                    is_first = False
                metrics.note_made(family, piece.duration_s)
                yield piece

    return opened


async def _answer(
    context: ApiContext,
    request: Request,
    fields: SpeechFields,
    speech: CompletedSpeech,
    open_speech: OpenSpeech,
) -> Response:
    """The speech in the format that the fields ask for; opened when it is its turn."""

    def make(cancel: CancelToken) -> Generator[bytes, None, None]:
        with closing(open_speech(cancel)) as pieces:
            if fields.streamed:
                yield from encode_pieces(pieces, fields.response_format)
            else:
                yield encode_whole(pieces, fields.response_format)

    answer = answer_streamed if fields.streamed else answer_whole
    return await answer(
        request,
        in_turn(context, request, make),
        MEDIA_TYPES[fields.response_format],
        fallback_headers(speech.model_id, speech.note),
    )


async def _answer_in_events(
    context: ApiContext,
    request: Request,
    fields: SpeechFields,
    speech: CompletedSpeech,
    open_speech: OpenSpeech,
) -> Response:
    """OpenAI's server-sent events: the sound piece by piece in base64, then how much it was."""

    def make(cancel: CancelToken) -> Generator[bytes, None, None]:
        spoken_s = 0.0

        def note_length(pieces: Iterable[Speech]) -> Generator[Speech, None, None]:
            nonlocal spoken_s
            for piece in pieces:
                spoken_s += piece.duration_s
                yield piece

        with closing(open_speech(cancel)) as pieces:
            noted, fmt = note_length(pieces), fields.response_format
            in_pieces = fields.stream is not False
            contents = encode_pieces(noted, fmt) if in_pieces else [encode_whole(noted, fmt)]
            for content in contents:
                yield event({"type": "speech.audio.delta", "audio": b64encode(content).decode()})
        yield event({"type": "speech.audio.done", "usage": _usage(speech.text, spoken_s)})

    return await answer_streamed(
        request,
        in_turn(context, request, make),
        EVENTS,
        fallback_headers(speech.model_id, speech.note),
        lambda error: event(describe_error(error)),
    )


def _usage(text: str, spoken_s: float) -> dict[str, int]:
    """What OpenAI counts in tokens: here characters of the text, and twentieths of a second."""
    characters, sounds = len(text), round(spoken_s * _SOUNDS_PER_SECOND)
    return {
        "input_tokens": characters,
        "output_tokens": sounds,
        "total_tokens": characters + sounds,
    }


def _caption_whole(pieces: Iterable[Speech], fmt: str) -> dict[str, Any]:
    words: list[Word] = []

    def note_words() -> Generator[Speech, None, None]:
        for piece in pieces:
            words.extend(piece.words)
            yield piece

    return _captioned(encode_whole(note_words(), fmt), fmt, words)


def _captioned(content: bytes, fmt: str, words: Iterable[Word]) -> dict[str, Any]:
    return {
        "audio": b64encode(content).decode(),
        "audio_format": fmt,
        "timestamps": [
            {
                "word": word.text,
                "start_time": round(word.start_s, 3),
                "end_time": round(word.end_s, 3),
            }
            for word in words
        ],
    }


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"
