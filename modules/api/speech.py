"""POST /v1/audio/speech: text in, sound out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from modules.api.context import ApiContext
from modules.api.spoken import SpeechBody, SpeechFields, checked_request
from modules.api.streaming import fallback_headers, in_turn, streamed, whole
from modules.core_components.audio.stream_encode import MEDIA_TYPES, encode_pieces, encode_whole
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech
from modules.tools.speaking.live_speech import open_live_speech
from modules.tools.speaking.speech import SpeechRequest

OpenSpeech = Callable[[CancelToken], Generator[Speech, None, None]]


class SpeechFileBody(SpeechBody):
    """A text to speak, as OpenAI's clients send it."""

    stream_format: Literal["audio"] = "audio"


def speech_routes(context: ApiContext) -> APIRouter:
    """The route that speaks."""
    router = APIRouter(tags=["Speech"])

    @router.post("/v1/audio/speech", response_class=Response, responses=SOUND)
    async def create_speech(request: Request, body: SpeechFileBody) -> Response:
        """Speaks a text; the sound arrives while it is made, unless `stream` is false."""
        wanted = await checked_request(context, body, body.input)
        return await sound(
            context,
            request,
            body,
            wanted,
            lambda cancel: open_live_speech(context.services, wanted, cancel),
        )

    return router


async def sound(
    context: ApiContext,
    request: Request,
    fields: SpeechFields,
    wanted: SpeechRequest,
    open_speech: OpenSpeech,
) -> Response:
    """The speech in the format that the fields ask for; opened when its turn has come."""

    def make(cancel: CancelToken) -> Generator[bytes, None, None]:
        with closing(open_speech(cancel)) as pieces:
            if fields.streamed:
                yield from encode_pieces(pieces, fields.response_format)
            else:
                yield encode_whole(pieces, fields.response_format)

    answer = streamed if fields.streamed else whole
    return await answer(
        request,
        in_turn(context, request, make),
        MEDIA_TYPES[fields.response_format],
        fallback_headers(wanted.engine, wanted.note),
    )


_BYTES = {"schema": {"type": "string", "format": "binary"}}
SOUND: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The sound, mono at 24 kHz; pcm is 16-bit little-endian without header.",
        "content": dict.fromkeys(MEDIA_TYPES.values(), _BYTES),
    }
}
