"""HTML for the page, from the Jinja2 files in `templates/`: every value put in is escaped.

What comes back is Markup, which stands in other templates and tables as it is; plain text (`str`)
is escaped there. Values are formatted by the functions below, as filters of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from modules.core_components.text.languages import language_name
from modules.core_components.text.lines import shorten
from modules.core_components.texts import _, fill, ngettext
from modules.core_components.units import device_name, memory_text
from modules.tools.voices.preset_voices import voice_in_words

TEMPLATES = Path(__file__).parent / "templates"
GIGABYTE, MEGABYTE = 1e9, 1e6
UNKNOWN = "–"


def render(template: str, **values: Any) -> Markup:
    """`templates/<template>.html` with these values. Raises UndefinedError for one left out."""
    text = _environment().get_template(f"{template}.html").render(values)
    return Markup(text)  # noqa: S704 - the environment has escaped every value


def part(name: str, *values: Any, **named: Any) -> Markup:
    """One of the macros of `templates/parts.html`."""
    made: Markup = getattr(_environment().get_template("parts.html").module, name)(*values, **named)
    return made


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"_": _, "ngettext": ngettext}
    environment.filters |= {
        "duration": duration_text,
        "clock": clock_text,
        "local_time": local_time,
        "size": size_text,
        "memory": memory_text,
        "voice": voice_in_words,
        "excerpt": excerpt,
        "figure": figure_text,
        "language": language_name,
        "device": device_text,
    }
    return environment


def empty_html(text: str) -> Markup:
    """What stands where nothing is yet, and what to do about it."""
    return part("empty", text)


def player_html(kind: str, key: str, label: str, edits: bool = False, version: str = "") -> Markup:
    """A player of a recording (see `modules.tools.recordings`), drawn by `static/player/wave.js`.

    With `edits` a part of it can be selected. Where `version` changes it is drawn anew.
    """
    return part("player", kind, key, label, edits, version)


def note_html(text: str) -> Markup:
    """A remark in small subdued letters."""
    return part("note", text)


def card_html(message: str, hint: str = "", kind: str = "") -> Markup:
    """A message and what to do about it in a box; kind is "", "good", "warn" or "bad"."""
    return part("message_card", message, hint, kind) if message else Markup()


def facts_html(facts: Mapping[str, str]) -> Markup:
    """Names and values in a quiet list; those without a value are left out."""
    return part("facts", facts)


def error_html(message: str, hint: str = "", about: str = "") -> Markup:
    """An error's message and hint, both of which may quote what a user typed.

    With `about` (see `field_labels`) it is shown at that field as well.
    """
    return part("field_error", message, hint, about) if about else part("error", message, hint)


def table_html(
    headers: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
    chosen: str = "",
    empty: str = "",
) -> Markup:
    """A table of clickable rows: pairs of an id and its cells."""
    return part("plain_table", headers, list(rows), chosen, empty or _("Nothing here yet."))


def duration_text(seconds: float) -> str:
    """Seconds as people say them: 4.2 s, 1:05 min, 2:10:00 h."""
    if seconds < 60:
        return _("{seconds:.1f} s", seconds=seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        _("{hours}:{minutes:02d}:{rest:02d} h", hours=hours, minutes=minutes, rest=rest)
        if hours
        else _("{minutes}:{rest:02d} min", minutes=minutes, rest=rest)
    )


def clock_text(seconds: float) -> str:
    """A position in a recording: 0:04.2 or 1:02:03.4."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return fill("{}:{:02d}:{:04.1f}", hours, minutes, rest)
    return fill("{}:{:04.1f}", minutes, rest)


def local_time(stamp: str) -> str:
    """A UTC time stamp (ISO 8601) in local time, to the minute."""
    if not stamp:
        return ""
    # TRANSLATORS: How a date with the time of day is written; %Y and so on as in strftime.
    return datetime.fromisoformat(stamp).astimezone().strftime(_("%Y-%m-%d %H:%M"))


def local_day(stamp: str) -> str:
    """The day of a time stamp (ISO 8601), as it stands there."""
    if not stamp:
        return ""
    # TRANSLATORS: How a date is written; %Y and so on as in strftime.
    return date.fromisoformat(stamp[:10]).strftime(_("%Y-%m-%d"))


def size_text(nbytes: float | None) -> str:
    """A file size in MB or GB; a dash where it is not known."""
    if not nbytes:
        return UNKNOWN
    if nbytes >= GIGABYTE:
        return _("{nbytes:.1f} GB", nbytes=nbytes / GIGABYTE)
    return (
        _("{nbytes:.0f} MB", nbytes=max(nbytes / MEGABYTE, 0.1))
        if nbytes >= MEGABYTE
        else _("< 1 MB")
    )


def device_text(place: str) -> str:
    """Where a model is, from "device (cuda:0)" and the like: GPU 0; moving or swapped out, too."""
    state, _unused, device = place.rstrip(")").partition(" (")
    name = device_name(device)
    words = {
        "device": name,
        "host": _("main memory"),
        "loading": _("{device}, loading", device=name),
        "leaving": _("{device}, leaving", device=name),
        "returning": _("{device}, returning", device=name),
    }
    return words.get(state, f"{name}, {state}")


def figure_text(value: float | None, form: str = "{:.2f}") -> str:
    """A number in a table; a dash where it was not measured."""
    return UNKNOWN if value is None else fill(form, value)


def excerpt(text: str, length: int = 90) -> str:
    """The beginning of a text on one line, up to the end of a word."""
    return shorten(text, length)
