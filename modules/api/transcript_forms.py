"""How a transcript is written for a client: five formats, or events while it is being made."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Any, Literal

from modules.core_components.text.language_names import language_name
from modules.core_components.text.subtitles import render
from modules.core_components.values import Segment, Transcript
from modules.tools.listening.transcribe import text_parts

TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
STREAMED_FORMATS: tuple[TranscriptFormat, ...] = ("json", "text")
EVENTS = "text/event-stream"
_RENDERED: Mapping[str, str] = {"text": "txt", "srt": "srt", "vtt": "vtt"}


def media_type(fmt: TranscriptFormat) -> str:
    """What `written` writes, as HTTP says it."""
    return "text/plain; charset=utf-8" if fmt in _RENDERED else "application/json"


def written(transcript: Transcript, fmt: TranscriptFormat, options: Mapping[str, Any]) -> bytes:
    """The whole transcript, as it came of the listener's `options`."""
    if fmt in _RENDERED:
        return render(transcript, _RENDERED[fmt]).encode()
    about = {"text": transcript.text} if fmt == "json" else _verbose(transcript, options)
    return _json(about).encode()


def events(segments: Iterable[Segment]) -> Generator[bytes, None, None]:
    """OpenAI's server-sent events: what each segment adds to the text, at last the whole text."""
    text = ""
    for part in text_parts(segments):
        text += part
        yield event({"type": "transcript.text.delta", "delta": part})
    yield event({"type": "transcript.text.done", "text": text})


def event(about: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {_json(about)}\n\n".encode()


def _verbose(transcript: Transcript, options: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's verbose_json, times in seconds; fields that nobody measured are left out."""
    words = [
        {"word": word.text, "start": word.start_s, "end": word.end_s}
        for segment in transcript.segments
        for word in segment.words
    ]
    return {
        "task": options.get("task", "transcribe"),
        "language": language_name(transcript.language).lower(),
        "duration": transcript.duration_s,
        "text": transcript.text,
        "segments": [
            {"id": number, "start": segment.start_s, "end": segment.end_s, "text": segment.text}
            for number, segment in enumerate(transcript.segments)
        ],
        **({"words": words} if options.get("word_timestamps") else {}),
    }


def _json(about: Mapping[str, Any]) -> str:
    return json.dumps(about, ensure_ascii=False)
