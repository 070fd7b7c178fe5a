"""What the player of the page asks for: waveforms, sound, parts of it, transcripts, its scripts.

A recording is named by its kind and its id in the library of that kind; no path comes from the
browser. The routes stand behind the same guards and the same login as the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

from modules.core_components.errors import NotFoundError, StudioError
from modules.core_components.text.corrections import segment_words
from modules.tools.listening.transcripts import KeptTranscript, get_transcript
from modules.tools.recordings import (
    Recording,
    cut_part,
    describe_waveform,
    find_recording,
    recording_version,
)
from modules.tools.services import Services
from modules.ui.events import STATIC

PLAYER_FILES: Mapping[str, Path] = {
    path.name: path for path in sorted((STATIC / "player").iterdir()) if path.suffix == ".js"
}
MEDIA_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg"}
# The address of a recording changes with its content, so that only what was cached may be old.
_FRESH = {"Cache-Control": "no-store"}


def player_routes() -> APIRouter:
    """The player's scripts: the page that asks for the password loads them too."""
    router = APIRouter(include_in_schema=False)

    @router.get("/player/{name}")
    def player_file(name: str) -> FileResponse:
        """A script of the player; the type does not depend on what the system calls .js files."""
        if name not in PLAYER_FILES:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(
            PLAYER_FILES[name], media_type="text/javascript", headers={"Cache-Control": "no-cache"}
        )

    return router


def recording_routes(services: Services) -> APIRouter:
    """Waveforms, sound and words of recordings; for those who may see the page."""
    router = APIRouter(prefix="/recordings", include_in_schema=False)

    @router.get("/transcript/text")
    def transcript_text(key: str) -> dict[str, Any]:
        """The words of a transcript with times, as recognized and as corrected."""
        with _errors_as_status():
            return transcript_json(get_transcript(services, key))

    @router.get("/{kind}/wave")
    def wave(kind: str, key: str, response: Response) -> dict[str, Any]:
        """Length, peaks, pauses and words; `version` changes with the sound."""
        response.headers.update(_FRESH)
        with _errors_as_status():
            recording = find_recording(services, kind, key)
            return {
                **describe_waveform(services, recording),
                "version": recording_version(recording),
                "words": [[word.text, word.start_s, word.end_s] for word in recording.words],
            }

    @router.get("/{kind}/audio")
    def audio(kind: str, key: str) -> FileResponse:
        """The sound, or the range of it that the browser asks for."""
        with _errors_as_status():
            recording = find_recording(services, kind, key)
        media_type = MEDIA_TYPES.get(recording.path.suffix.lower(), "application/octet-stream")
        return FileResponse(recording.path, media_type=media_type)

    @router.get("/{kind}/part")
    def part(kind: str, key: str, start: float, end: float) -> Response:
        """A part of the sound as a wav file to save."""
        with _errors_as_status():
            recording = find_recording(services, kind, key)
            content = cut_part(recording, start, end)
        return Response(content, media_type="audio/wav", headers=_saved_as(recording, start, end))

    return router


def transcript_json(kept: KeptTranscript) -> dict[str, Any]:
    """A kept transcript for its view: segments with speaker and words.

    A word is its recognized text with the space after it, its start and end in seconds, its
    corrected text or None, and how sure the model was of it, 0 to 1.
    """
    segments = []
    for number, segment in enumerate(kept.original.segments):
        rows = [
            [
                text,
                word.start_s,
                word.end_s,
                kept.corrections.text_of(number, index, segment),
                round(word.probability, 3),
            ]
            for index, (text, word) in enumerate(segment_words(segment))
        ]
        speaker = kept.corrections.speaker_of(number, segment)
        segments.append(
            {
                "speaker": speaker,
                "label": segment.speaker or "",
                "start": segment.start_s,
                "words": rows,
            }
        )
    return {
        "key": kept.id,
        "segments": segments,
        "language": kept.original.language,
        "hasSound": kept.recording is not None,
    }


def _saved_as(recording: Recording, start_s: float, end_s: float) -> dict[str, str]:
    """Of the name only what a header can hold."""
    plain = recording.name.encode("ascii", errors="ignore").decode()
    stem = "".join(c if c.isalnum() or c in "-_ " else "_" for c in plain).strip() or "recording"
    name = f"{stem} {start_s:.2f}-{end_s:.2f} s.wav"
    return {"Content-Disposition": f'attachment; filename="{name}"', **_FRESH}


@contextmanager
def _errors_as_status() -> Iterator[None]:
    """What is not there is 404, what cannot be read 422, each with its words."""
    try:
        yield
    except NotFoundError as error:
        raise HTTPException(404, str(error)) from error
    except StudioError as error:
        raise HTTPException(422, str(error)) from error
