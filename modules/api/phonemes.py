"""POST /dev/phonemize and /dev/generate_from_phonemes: what a text sounds like, in symbols."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import partial

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.context import ApiContext
from modules.api.errors import fields_named
from modules.api.names import speaking_model
from modules.api.speech import SOUND, sound
from modules.api.spoken import SpeechFields, checked_request
from modules.api.streaming import in_turn, whole
from modules.core_components.progress import CancelToken
from modules.tools.speaking.phonemes import (
    check_phonemize,
    open_phoneme_speech,
    phoneme_engine,
    phonemize,
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
