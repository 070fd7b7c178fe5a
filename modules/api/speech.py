"""POST /v1/audio/speech: text in, sound out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from modules.api.context import ApiContext
from modules.api.errors import blamed_on
from modules.api.names import speaking_model, voice_of
from modules.api.work import Work
from modules.core_components.audio.stream_encode import MEDIA_TYPES, encode_pieces, encode_whole
from modules.core_components.errors import BadInputError, JobCancelled, NotFoundError
from modules.core_components.progress import CancelToken
from modules.tools.live_speech import check_live_request, open_live_speech
from modules.tools.speech import SpeechRequest

logger = logging.getLogger(__name__)


class BrokenOffError(Exception):
    """The speech could not be made to its end; raised to break the connection."""


class SpeechBody(BaseModel):
    """What OpenAI's clients send, and two fields of our own: `language` and `seed`."""

    model: str = Field("tts-1", description="An installed speaking model, or OpenAI's name.")
    input: str = Field(description="What to say.")
    voice: str = Field(
        "alloy", description='A stock voice, a mix "af_bella(2)+af_sky(1)", a sample.'
    )
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0, description="As far as the model can go, too.")
    stream: bool | None = Field(
        None, description="false: a finished file. Left out: streamed, but wav comes finished."
    )
    stream_format: Literal["audio"] = "audio"
    language: str = Field("", description="Of the text; left out, that of the voice.")
    seed: int | None = Field(None, ge=0, lt=2**31, description="The same seed, the same sound.")

    @property
    def streamed(self) -> bool:
        """A wav header must name the length, so wav waits for the end unless told otherwise."""
        return self.response_format != "wav" if self.stream is None else self.stream


def speech_routes(context: ApiContext) -> APIRouter:
    """The route that speaks."""
    router = APIRouter(tags=["Speech"])

    @router.post("/v1/audio/speech", response_class=Response, responses=_RESPONSES)
    async def create_speech(request: Request, body: SpeechBody) -> Response:
        """Speaks a text; the sound arrives while it is made, unless `stream` is false."""
        wanted = await run_in_threadpool(_checked, context, body)
        media_type = MEDIA_TYPES[body.response_format]

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            with (
                context.turns.taken(cancel),
                closing(open_live_speech(context.services, wanted, cancel)) as pieces,
            ):
                if body.streamed:
                    yield from encode_pieces(pieces, body.response_format)
                else:
                    yield encode_whole(pieces, body.response_format)

        pieces = Work(request, make).pieces()
        # Whatever is refused is refused here, while there still is a status to say it with.
        first = await anext(pieces, b"")
        if not body.streamed:
            return Response(first, media_type=media_type)
        return StreamingResponse(_all_of(first, pieces), media_type=media_type)

    return router


async def _all_of(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for piece in rest:
            yield piece
    except JobCancelled:
        return
    except Exception as error:
        # Going on would sound like silence; raising breaks the connection, which clients notice.
        logger.exception("Speaking failed in the middle; the connection is broken off")
        raise BrokenOffError(str(error)) from None


def _checked(context: ApiContext, body: SpeechBody) -> SpeechRequest:
    services = context.services
    try:
        model_id = speaking_model(services, body.model)
    except NotFoundError as error:
        raise blamed_on("model", error, "model_not_found") from error
    engine = services.tts.get(model_id)
    try:
        voice = voice_of(services, engine, body.voice)
    except BadInputError as error:
        raise blamed_on("voice", error, "voice_not_found") from error
    options: dict[str, Any] = {} if body.speed == 1.0 else {"speed": body.speed}
    request = SpeechRequest(
        text=body.input,
        voice=voice.name,
        kind=voice.kind,
        engine=model_id,
        language=body.language or voice.language,
        seed=body.seed,
        options=options,
    )
    return check_live_request(services, request)


_SOUND = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The sound, mono at 24 kHz; pcm is 16-bit little-endian without header.",
        "content": dict.fromkeys(MEDIA_TYPES.values(), _SOUND),
    }
}
