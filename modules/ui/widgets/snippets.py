"""Small pieces of HTML that several tabs show; everything that a user typed is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

GIGABYTE, MEGABYTE = 1e9, 1e6


def table_html(
    headers: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
    chosen: str = "",
    empty: str = "Nothing here yet.",
) -> str:
    """A table of clickable rows: pairs of an id and its cells, which are HTML already."""
    lines = [_row_html(key, cells, key == chosen) for key, cells in rows]
    if not lines:
        return empty_html(empty)
    head = "".join(f"<th scope='col'>{html.escape(header)}</th>" for header in headers)
    body = "".join(lines)
    return (
        "<div class='studio-scroll'><table class='studio-table'>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row_html(key: str, cells: Sequence[str], chosen: bool) -> str:
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    css = " class='chosen'" if chosen else ""
    return f"<tr data-id='{html.escape(key)}' tabindex='0'{css}>{columns}</tr>"


def empty_html(text: str) -> str:
    """What stands where nothing is yet, and what to do about it."""
    return f"<div class='studio-empty'>{html.escape(text)}</div>"


def warning_html(text: str) -> str:
    """What a user must know before going on; "" for no text."""
    return f"<div class='studio-job warn'><div>{html.escape(text)}</div></div>" if text else ""


def facts_html(facts: Mapping[str, str]) -> str:
    """Names and values in a quiet list; values are plain text."""
    items = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    return f"<dl class='studio-facts'>{items}</dl>"


def badge(text: str, kind: str = "plain") -> str:
    """A word in a pill: kind is plain, good, warn or bad."""
    return f"<span class='studio-badge {kind}'>{html.escape(text)}</span>"


def bar_html(fraction: float, label: str = "Progress") -> str:
    """A bar that is full at 1."""
    percent = 100 * min(max(fraction, 0.0), 1.0)
    return (
        f"<div class='studio-bar' role='progressbar' aria-label='{html.escape(label)}' "
        f"aria-valuenow='{percent:.0f}' aria-valuemin='0' aria-valuemax='100'>"
        f"<div style='width:{percent:.1f}%'></div></div>"
    )


def duration_text(seconds: float) -> str:
    """Seconds as people say them: 4.2 s, 1:05 min, 2:10:00 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"


def clock_text(seconds: float) -> str:
    """A place in a recording: 0:04.2 or 1:02:03.4."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def local_time(stamp: str) -> str:
    """A UTC time stamp (ISO 8601) as the clock on the wall shows it, to the minute."""
    if not stamp:
        return ""
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")


def size_text(nbytes: float | None) -> str:
    """A file size in MB or GB; a dash where it is not known."""
    if not nbytes:
        return "–"
    if nbytes >= GIGABYTE:
        return f"{nbytes / GIGABYTE:.1f} GB"
    return f"{max(nbytes / MEGABYTE, 0.1):.0f} MB" if nbytes >= MEGABYTE else "< 1 MB"


def excerpt(text: str, length: int = 90) -> str:
    """The beginning of a text on one line, escaped."""
    line = " ".join(text.split())
    return html.escape(line if len(line) <= length else line[: length - 1].rstrip() + "…")
