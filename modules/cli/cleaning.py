"""`clean`: recordings without their noise."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modules.cli.common import (
    FileFailures,
    Json,
    check_folder,
    errors_reported,
    plain,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from modules.tools.listening.cleaning import CleanedRecording

logger = logging.getLogger(__name__)


def clean(
    files: Annotated[list[Path], typer.Argument(help="Recordings, video too.")],
    out: Annotated[Path | None, typer.Option(help="A folder; else that of each recording.")] = None,
    noise: Annotated[bool, typer.Option("--noise/--no-noise", help="Remove noise.")] = True,
    loudness: Annotated[
        float | None, typer.Option(help="In LUFS, such as -20; empty leaves it.")
    ] = None,
    fmt: Annotated[str, typer.Option("--format", help="wav, flac or mp3.")] = "wav",
    as_json: Json = False,
) -> None:
    """Writes cleaned copies of recordings; the originals stay as they are."""
    done: list[CleanedRecording] = []
    failures = FileFailures(len(files))
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.listening.cleaning import CleaningRequest, clean_recording

        for path in files:
            with failures.collected(path):
                folder = out or path.absolute().parent
                check_folder(folder)
                folder.mkdir(parents=True, exist_ok=True)
                request = CleaningRequest(path, folder, noise, loudness, fmt)
                cleaned = clean_recording(request, progress, cancel)
                done.append(cleaned)
                if not as_json:
                    typer.echo(_line(cleaned))
                for note in cleaned.notes:
                    logger.warning("%s: %s", path, note)
    if as_json:
        print_json({"cleaned": plain(done), "failed": failures.records})
    failures.report()


def _line(cleaned: CleanedRecording) -> str:
    from modules.tools.listening.cleaning import changes

    figures = changes(cleaned.before, cleaned.after)
    return f"{cleaned.written}: {'; '.join(filter(None, [', '.join(cleaned.steps), figures]))}"
