"""Recordings and files of voices, for those who may see the page: by key, never by path."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from modules.core_components.errors import NotFoundError, StudioError
from modules.core_components.library.names import safe_stem
from modules.tools.services import Services
from modules.tools.voices.voice_cards import export, find_card, sound_of
from modules.tools.voices.voice_sheet import packed_voice

# A renamed voice, or another recording of that name, is asked for anew.
_FRESH = {"Cache-Control": "no-cache"}
PACKED = ".zip"


def voice_file_routes(services: Services) -> APIRouter:
    """`GET /voices/{key}/sound`: what a voice is heard by. `GET /voices/{key}/file`: an export."""
    router = APIRouter()

    @router.get("/voices/{key:path}/sound", include_in_schema=False)
    async def sound(key: str, number: int = 0) -> FileResponse:
        """A recording of the voice, or its preview, which is spoken first where there is none."""
        try:
            path = await run_in_threadpool(sound_of, services, key, number)
        except StudioError as error:
            raise _refusal(error) from error
        return FileResponse(path, media_type="audio/wav", headers=_FRESH)

    @router.get("/voices/{key:path}/file", include_in_schema=False)
    async def file(key: str, suffix: str) -> FileResponse:
        """The voice as a file to save."""
        try:
            card = await run_in_threadpool(find_card, services, key)
            make = packed_voice if suffix == PACKED else export
            path = await run_in_threadpool(make, services, key, suffix)
        except StudioError as error:
            raise _refusal(error) from error
        name = f"{safe_stem(card.name)}{suffix}"
        return FileResponse(
            path, media_type="application/octet-stream", filename=name, headers=_FRESH
        )

    return router


def _refusal(error: StudioError) -> HTTPException:
    status = 404 if isinstance(error, NotFoundError) else 409
    return HTTPException(status, f"{error.message} {error.hint}".strip())
