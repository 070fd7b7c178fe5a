"""Transcripts as files: plain text, SubRip, WebVTT and JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence

from modules.core_components.errors import BadInputError
from modules.core_components.text.cues import Cue, cues
from modules.core_components.values import Transcript


def to_plain(transcript: Transcript) -> str:
    """A line a segment; where speakers are told apart, their name in front when it changes."""
    lines = []
    speaker = None
    for segment in transcript.segments:
        name = f"{segment.speaker}: " if segment.speaker and segment.speaker != speaker else ""
        speaker = segment.speaker
        lines.append(name + " ".join(segment.text.split()))
    return "".join(f"{line}\n" for line in lines if line)


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, a comma before the milliseconds."""
    return srt_of(cues(transcript))


def to_vtt(transcript: Transcript) -> str:
    """WebVTT (W3C); speakers as voice spans."""
    return vtt_of(cues(transcript))


def srt_of(shown: Sequence[Cue]) -> str:
    """As `to_srt`, of cues that are cut already."""
    blocks = (
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{_srt_text(cue)}\n\n"
        for number, cue in enumerate(shown, start=1)
    )
    return "".join(blocks)


def vtt_of(shown: Sequence[Cue]) -> str:
    """As `to_vtt`, of cues that are cut already."""
    blocks = (
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{_vtt_text(cue)}\n\n"
        for cue in shown
    )
    return "WEBVTT\n\n" + "".join(blocks)


def to_json(transcript: Transcript) -> str:
    """Everything that is known: segments and words with their times in seconds."""
    return json.dumps(dataclasses.asdict(transcript), indent=2, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Transcript], str]] = {
    "txt": to_plain,
    "srt": to_srt,
    "vtt": to_vtt,
    "json": to_json,
}


def render(transcript: Transcript, fmt: str) -> str:
    """The transcript as one of FORMATS. Raises BadInputError for another."""
    if fmt not in FORMATS:
        raise BadInputError(f"Unknown format {fmt!r}.", f"Choose one of {', '.join(FORMATS)}.")
    return FORMATS[fmt](transcript)


def _srt_text(cue: Cue) -> str:
    text = _without_arrow("\n".join(cue.lines))
    return f"{cue.speaker}: {text}" if cue.speaker else text


def _vtt_text(cue: Cue) -> str:
    text = _escaped(_without_arrow("\n".join(cue.lines)))
    return f"<v {_escaped(cue.speaker)}>{text}</v>" if cue.speaker else text


def _without_arrow(text: str) -> str:
    """The arrow of time lines would end the text of a cue."""
    return text.replace("-->", "→")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, mark: str) -> str:
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{ms // 1000:02d}{mark}{ms % 1000:03d}"
