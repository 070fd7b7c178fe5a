"""What all requests for speech have in common: their fields, and what these mean."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from modules.api.context import ApiContext
from modules.api.errors import blamed_on
from modules.api.names import speaking_model, voice_of
from modules.core_components.errors import BadInputError
from modules.tools.services import Services
from modules.tools.speaking.fallback import choose_speaking_model, told_of
from modules.tools.speaking.live_speech import check_live_request
from modules.tools.speaking.speech import SpeechRequest


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
