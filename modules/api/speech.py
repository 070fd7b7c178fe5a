"""POST /v1/audio/speech: text in, sound out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.errors import blamed_on
from modules.api.streaming import ApiContext, fallback_headers, in_turn, streamed, whole
from modules.api.voices import speaking_model, voice_of
from modules.core_components.audio.encode import MEDIA_TYPES, encode_pieces, encode_whole
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech
from modules.tools.services import Services
from modules.tools.speaking.fallback import choose_speaking_model, told_of
from modules.tools.speaking.live_speech import check_live_request, open_live_speech
from modules.tools.speaking.speech import SpeechRequest

# What all requests for speech have in common: their fields, and what these mean.


class SpeechFields(BaseModel):
    """What OpenAI's clients send besides the text, and two fields of our own."""

    model: str = Field("tts-1", description="An installed speaking model, or OpenAI's name.")
    voice: str = Field(
        "alloy", description='A stock voice, a mix "af_bella(2)+af_sky(1)", a sample.'
    )
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0, description="As far as the model can go, too.")
    stream: bool | None = Field(
        None, description="false: a finished file. Left out: streamed, but wav comes finished."
    )
    language: str = Field("", description="Of the text; left out, that of the voice.")
    seed: int | None = Field(None, ge=0, lt=2**31, description="The same seed, the same sound.")

    @property
    def streamed(self) -> bool:
        """A wav header must name the length, so wav waits for the end unless told otherwise."""
        return self.response_format != "wav" if self.stream is None else self.stream


class SpeechBody(SpeechFields):
    """A text to speak."""

    input: str = Field(description="What to say.")


async def checked_request(context: ApiContext, fields: SpeechFields, text: str) -> SpeechRequest:
    """What the fields mean in this studio, everything checked that needs no model.

    Raises ApiError and StudioError, each with the field at fault.
    """
    return await run_in_threadpool(_checked, context.services, fields, text)


def _checked(services: Services, fields: SpeechFields, text: str) -> SpeechRequest:
    model_id = speaking_model(services, fields.model)
    choice = choose_speaking_model(services, model_id)
    try:
        with told_of(choice):
            voice = voice_of(services, services.tts.get(choice.model_id), fields.voice)
    except BadInputError as error:
        raise blamed_on("voice", error, "voice_not_found") from error
    options: dict[str, Any] = {} if fields.speed == 1.0 else {"speed": fields.speed}
    request = SpeechRequest(
        text=text,
        voice=voice.name,
        kind=voice.kind,
        engine=model_id,
        language=fields.language or voice.language,
        seed=fields.seed,
        options=options,
    )
    return check_live_request(services, request)


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
