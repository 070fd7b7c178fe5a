"""From what a user typed to a file name that works on every system and stays in its folder."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

# Bytes, since file systems count those; leaves room for a number and a time stamp under 255.
_MAX_STEM_BYTES = 80
_MAX_DISPLAY_CHARACTERS = 300
_RESERVED_ON_WINDOWS = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)),
}


def safe_stem(name: str, fallback: str = "voice") -> str:
    """A file name without suffix for any string.

    Letters and digits of every script stay, with `-`; all else (slashes, dots, spaces,
    emoji, control characters) becomes `_`. Never empty, hidden, reserved or longer than 80 bytes.
    """
    kept = "".join(_letters_and_digits(unicodedata.normalize("NFKC", name)))
    stem = "_".join(part for part in kept.split("_") if part)
    stem = stem.encode("utf-8")[:_MAX_STEM_BYTES].decode("utf-8", errors="ignore").strip("_-")
    if stem.casefold() in _RESERVED_ON_WINDOWS:
        return f"{fallback}_{stem}"
    return stem or fallback


def _letters_and_digits(name: str) -> Iterator[str]:
    """Each character, or `_` in its place; a mark stays with its letter only."""
    after_letter = False
    for character in name:
        category = unicodedata.category(character)[0]
        is_mark = category == "M" and not "\ufe00" <= character <= "\ufe0f"  # emoji's selectors
        after_letter = category in "LN" or (is_mark and after_letter)
        yield character if after_letter or character == "-" else "_"


def display_name(name: str, fallback: str = "Voice") -> str:
    """The name as people see it: on one line, without control and direction characters."""
    visible = "".join(
        character
        for character in " ".join(name.split())
        if unicodedata.category(character) not in ("Cc", "Cs")
        and unicodedata.bidirectional(character)
        not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    )
    return visible[:_MAX_DISPLAY_CHARACTERS].strip() or fallback


def same_name_key(name: str) -> str:
    """Equal for names that a file system or a reader would take for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def numbered(wanted: str, taken: Iterable[str], pattern: str) -> str:
    """`wanted`, or the first of `pattern` (with fields `name` and `number`) that is not taken."""
    keys = {same_name_key(name) for name in taken}
    if same_name_key(wanted) not in keys:
        return wanted
    candidates = (pattern.format(name=wanted, number=number) for number in itertools.count(2))
    return next(name for name in candidates if same_name_key(name) not in keys)


def free_stem(folder: Path, wanted: str) -> str:
    """`wanted`, or `wanted_2`, `wanted_3`...: no file in the folder has that name, with any suffix.

    `wanted` must come from `safe_stem`.
    """
    return numbered(wanted, (path.stem for path in folder.iterdir()), "{name}_{number}")


def unique_path(folder: Path, name: str, suffix: str) -> Path:
    """A path in `folder` for anything a user typed, where nothing lies yet."""
    return folder / f"{free_stem(folder, safe_stem(name))}{suffix}"
