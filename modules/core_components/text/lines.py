"""Lines as text files end them."""

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
