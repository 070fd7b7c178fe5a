"""POST /dev/phonemize and /dev/generate_from_phonemes: what a text sounds like, in symbols."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Generator, Iterable
from contextlib import closing
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.errors import fields_named, told
from modules.api.speech import SOUND, SpeechBody, SpeechFields, checked_request, sound
from modules.api.streaming import ApiContext, fallback_headers, in_turn, streamed, whole
from modules.api.voices import speaking_model
from modules.core_components.audio.encode import encode_each, encode_whole
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, Word
from modules.tools.speaking.live_speech import open_live_speech
from modules.tools.speaking.phonemes import (
    check_phonemize,
    open_phoneme_speech,
    phoneme_engine,
    phonemize,
    timed_from_the_start,
)


class PhonemizeBody(BaseModel):
    """A text to see the phonemes of."""

    model: str = Field("tts-1", description="An installed speaking model, or OpenAI's name.")
    text: str = Field(description="What the phonemes are wanted of.")
    language: str = Field("", description="Of the text; left out, the one in the settings.")


class Sentence(BaseModel):
    """A sentence as it was written, and its phonemes."""

    text: str
    phonemes: str


class Phonemized(BaseModel):
    """All phonemes in one line, and sentence by sentence."""

    phonemes: str
    sentences: list[Sentence]


class PhonemeSpeechBody(SpeechFields):
    """Phonemes to speak, of any length."""

    phonemes: str = Field(description="As /dev/phonemize writes them.")


def phoneme_routes(context: ApiContext) -> APIRouter:
    """The routes that show and speak phonemes."""
    router = APIRouter(tags=["Speech"])
    services = context.services

    @router.post("/dev/phonemize", response_model=Phonemized)
    async def create_phonemes(request: Request, body: PhonemizeBody) -> Response:
        """The phonemes that the model would speak for a text."""

        def check() -> tuple[str, str]:
            model_id = speaking_model(services, body.model)
            return model_id, check_phonemize(services, model_id, body.text, body.language)

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            found = phonemize(services, model_id, body.text, language)
            sentences = [{"text": one.text, "phonemes": one.phonemes} for one in found]
            phonemes = " ".join(one.phonemes for one in found)
            yield json.dumps({"phonemes": phonemes, "sentences": sentences}).encode()

        with fields_named(text="text"):
            model_id, language = await run_in_threadpool(check)
            return await whole(request, in_turn(context, request, make), "application/json")

    @router.post("/dev/generate_from_phonemes", response_class=Response, responses=SOUND)
    async def create_speech_from_phonemes(request: Request, body: PhonemeSpeechBody) -> Response:
        """Speaks phonemes, answering as /v1/audio/speech does."""
        with fields_named(text="phonemes"):
            wanted = await checked_request(context, body, body.phonemes)
            phoneme_engine(services, wanted.engine)
            speech = partial(open_phoneme_speech, services, wanted)
            return await sound(context, request, body, wanted, speech)

    return router


# POST /dev/captioned_speech: sound, and when each word of the text is said in it.


_LINES = "application/x-ndjson"


class CaptionedBody(SpeechBody):
    """A text to speak, with the times of its words."""

    stream: bool | None = Field(None, description="false: one object with a finished file.")


class SpokenWord(BaseModel):
    """A word as it was written; times in seconds from the start of the whole speech."""

    word: str
    start_time: float
    end_time: float


class CaptionedSpeech(BaseModel):
    """One line of the stream, or the whole; `audio` in base64."""

    audio: str
    audio_format: str
    timestamps: list[SpokenWord]


def caption_routes(context: ApiContext) -> APIRouter:
    """The route that speaks and tells when."""
    router = APIRouter(tags=["Speech"])

    @router.post("/dev/captioned_speech", response_class=Response, responses=_RESPONSES)
    async def create_captioned_speech(request: Request, body: CaptionedBody) -> Response:
        """Speaks a text and says when each word is spoken, a line of JSON for each piece.

        The sounds of the lines, one after the other, are what /v1/audio/speech streams. An engine
        that does not know when it says what sends no times. A line {"error": ...} says that the
        speech could not be made to its end.
        """
        wanted = await checked_request(context, body, body.input)
        fmt, in_lines = body.response_format, body.stream is not False

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            with closing(open_live_speech(context.services, wanted, cancel)) as pieces:
                timed = timed_from_the_start(pieces)
                if in_lines:
                    for piece, content in encode_each(timed, fmt):
                        yield _line(_captioned(content, fmt, piece.words))
                else:
                    yield json.dumps(_whole(timed, fmt)).encode()

        work = in_turn(context, request, make)
        headers = fallback_headers(wanted.engine, wanted.note)
        if in_lines:
            return await streamed(request, work, _LINES, headers, lambda error: _line(told(error)))
        return await whole(request, work, "application/json", headers)

    return router


def _whole(pieces: Iterable[Speech], fmt: str) -> dict[str, Any]:
    words: list[Word] = []

    def noted() -> Generator[Speech, None, None]:
        for piece in pieces:
            words.extend(piece.words)
            yield piece

    content = encode_whole(noted(), fmt)
    return _captioned(content, fmt, words)


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


def _line(about: dict[str, Any]) -> bytes:
    return json.dumps(about).encode() + b"\n"


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": CaptionedSpeech,
        "description": "One object, or one for each line.",
        "content": {_LINES: {"schema": {"$ref": "#/components/schemas/CaptionedSpeech"}}},
    }
}
