"""The rows of a dataset, `audio_file|text|speaker_name`, as coqui's trainer reads them."""

from __future__ import annotations

from collections.abc import Iterable

from modules.core_components.dataset.values import Clip

HEADER = "audio_file|text|speaker_name"


def metadata_text(text: str) -> str:
    """The text as a row can hold it: on one line, without `|` and without straight double quotes.

    The trainer's reader takes a `"` at the start of a field for the begin of a quoted one, and
    swallows the rows that follow; XTTS's own cleaner removes that character anyway.
    """
    return " ".join(text.replace("|", " ").replace('"', "").split())


def metadata_csv(rows: Iterable[Clip]) -> str:
    """The file for these clips, header first, a line each."""
    lines = [HEADER]
    lines += [
        f"wavs/{clip.id}.wav|{metadata_text(clip.text)}|{metadata_text(clip.speaker)}"
        for clip in rows
    ]
    return "".join(f"{line}\n" for line in lines)
