"""POST /v1/audio/diarization: who speaks when, in the form of speaches; voices that are known."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator, Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BeforeValidator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from modules.api.errors import blame
from modules.api.schemas import Diarized, DiarizedTurn, lower_case
from modules.api.streaming import ApiContext, answer_whole, in_turn
from modules.api.uploads import store_upload
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import Turn
from modules.tools.listening.speakers import (
    MOST_SPEAKERS,
    diarize_file,
    parse_speakers,
    recognize,
    require_models,
    speakers_between,
)

Recording = Annotated[UploadFile, File(description="Sound or video, any common container.")]
FewestSpeakers = Annotated[
    int | None, Form(ge=1, le=MOST_SPEAKERS, description="At least so many speakers.")
]
MostSpeakers = Annotated[
    int | None, Form(ge=1, le=MOST_SPEAKERS, description="At most so many speakers.")
]
KnownNames = Annotated[
    list[str], Form(alias="known_speaker_names[]", description="Names of known speakers.")
]
KnownReferences = Annotated[
    list[str],
    Form(
        alias="known_speaker_references[]",
        description="A recording of each of them, as a data URL, in the same order.",
    ),
]
TurnFormat = Annotated[
    Literal["json", "rttm"], BeforeValidator(lower_case), Form(description="json, or NIST's rttm.")
]
_MOST_KNOWN = 20


def diarization_routes(context: ApiContext) -> APIRouter:
    """The route that tells speakers apart."""
    router = APIRouter(tags=["Transcription"])

    @router.post(
        "/v1/audio/diarization",
        response_class=Response,
        responses={
            200: {
                "description": "The turns in order; they may overlap.",
                "content": {
                    "application/json": {"schema": Diarized.model_json_schema()},
                    "text/plain": {"schema": {"type": "string"}},
                },
            }
        },
    )
    async def diarize(
        request: Request,
        file: Recording,
        model: Annotated[str, Form(description="Any name; there is one way to do it.")] = "",
        min_speakers: FewestSpeakers = None,
        max_speakers: MostSpeakers = None,
        known_speaker_names: KnownNames = [],  # noqa: B006 - FastAPI copies it
        known_speaker_references: KnownReferences = [],  # noqa: B006
        response_format: TurnFormat = "json",
    ) -> Response:
        """Tells the speakers of a recording apart; nothing is transcribed."""
        services = context.services
        count = parse_speakers(speakers_between(min_speakers, max_speakers))
        assert count is not None  # noqa: S101 - only "off" is none
        known = known_recordings(known_speaker_names, known_speaker_references)
        await run_in_threadpool(require_models, services)
        folder, recording = await run_in_threadpool(store_upload, services, file)

        def make(cancel: CancelToken) -> Generator[bytes, None, None]:
            found, duration_s = diarize_file(services, recording, count, no_progress, cancel)
            names = _labels(found.turns) | recognize(services, found.voices, known)
            turns = [Turn(t.start_s, t.end_s, names[t.speaker]) for t in found.turns]
            if response_format == "rttm":
                yield "".join(map(_rttm_line, turns)).encode()
            else:
                said = [
                    DiarizedTurn(start=t.start_s, end=t.end_s, speaker=t.speaker) for t in turns
                ]
                yield Diarized(duration=duration_s, segments=said).model_dump_json().encode()

        def make_and_clean_up(cancel: CancelToken) -> Generator[bytes, None, None]:
            with folder:  # also while the request waits
                yield from in_turn(context, request, make)(cancel)

        kind = "text/plain; charset=utf-8" if response_format == "rttm" else "application/json"
        try:
            return await answer_whole(request, make_and_clean_up, kind, {})
        except BadInputError as error:
            raise blame(error.about or "file", error) from error

    return router


def known_recordings(names: Sequence[str], references: Sequence[str]) -> Mapping[str, bytes]:
    """The recordings of known speakers by name, from OpenAI's fields. Raises BadInputError."""
    about = "known_speaker_references"
    if len(names) != len(references) or len(names) > _MOST_KNOWN:
        raise BadInputError(
            f"There are {len(names)} names of known speakers and {len(references)} recordings.",
            f"Give a recording for each name, {_MOST_KNOWN} at most.",
            about,
        )
    found = {}
    for name, reference in zip(names, references, strict=True):
        head, _, content = reference.partition(",")
        try:
            if not head.startswith("data:") or not head.endswith(";base64"):
                raise ValueError(head[:40])
            found[name] = base64.b64decode(content, validate=True)
        except (ValueError, binascii.Error) as error:
            raise BadInputError(
                f"The recording of {name!r} is no data URL.",
                "Write it as data:audio/wav;base64,... .",
                about,
            ) from error
    return found


def _labels(turns: Sequence[Turn]) -> dict[str, str]:
    """SPEAKER_00 and so on, as pyannote, WhisperX and speaches name them."""
    names = dict.fromkeys(turn.speaker for turn in turns)
    return {name: f"SPEAKER_{place:02d}" for place, name in enumerate(names)}


def _rttm_line(turn: Turn) -> str:
    length_s = turn.end_s - turn.start_s
    name = "_".join(turn.speaker.split()) or "-"
    return f"SPEAKER audio 1 {turn.start_s:.3f} {length_s:.3f} <NA> <NA> {name} <NA> <NA>\n"
