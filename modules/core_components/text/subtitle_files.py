"""Reading SubRip and WebVTT files: when which words are shown."""

from __future__ import annotations

import codecs
import html
import re
from itertools import pairwise

from modules.core_components.errors import BadInputError
from modules.core_components.text.cues import Cue

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
# "[applause]", "(laughs)", "♪ la la ♪": what is shown but not said.
_NOT_SAID = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[♪♫][^♪♫]*[♪♫]?")


def read_cues(content: bytes, name: str) -> tuple[Cue, ...]:
    """The cues of a file in order of time, without markup and without what is not said.

    Encodings: UTF-8, UTF-16 with its mark, else Windows-1252. Raises BadInputError when `content`
    holds no cue at all; `name` is what the message calls it.
    """
    found: list[Cue] = []
    lines = _decoded(content).splitlines()
    starts = [index for index, line in enumerate(lines) if _TIMES.match(line)]
    for index, after in pairwise([*starts, len(lines)]):
        times = _TIMES.match(lines[index])
        assert times is not None  # noqa: S101 - what made it a start
        shown = []
        for line in lines[index + 1 : after]:
            if not line.strip():
                break
            shown.append(line)
        text = _said(" ".join(shown))
        start_s, end_s = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
        if text and end_s > start_s:
            found.append(Cue(start_s, end_s, (text,)))
    if not starts:
        raise BadInputError(
            f"{name} holds no subtitles that can be read.", "Give an .srt or .vtt file."
        )
    return tuple(sorted(found, key=lambda cue: cue.start_s))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _said(text: str) -> str:
    bare = html.unescape(_TAGS.sub("", text))
    return " ".join(_NOT_SAID.sub(" ", bare).split())


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000
