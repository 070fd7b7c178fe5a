"""Lines as text files end them, and the beginning of a text on one line."""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n|\n|\r")


def split_lines(text: str) -> list[str]:
    """The lines without their ends, which are LF, CR LF and CR.

    `str.splitlines` also ends lines at characters that stand in texts, such as U+2028 and U+0085.
    """
    lines = _LINE_END.split(text)
    if not lines[-1]:
        lines.pop()
    return lines


def shorten(text: str, length: int) -> str:
    """The beginning of a text on one line, `length` characters at most: it ends after a word, with
    "…". A text without spaces, such as a Chinese one, is cut where it is too long."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    if not line[length - 1].isspace() and cut.rfind(" ") >= length // 2:
        cut = cut[: cut.rfind(" ")]
    return f"{cut.rstrip(' ,;:–—-')}…"
