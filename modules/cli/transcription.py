"""`transcribe`: recordings to text, subtitles or JSON."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from modules.cli.common import (
    FileFailures,
    Json,
    check_folder,
    plain,
    print_json,
    working_studio,
)
from modules.core_components.errors import BadInputError

logger = logging.getLogger(__name__)


def transcribe(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Recordings, video too.")],
    model: Annotated[str, typer.Option(help="For example base or large-v3.")] = "",
    language: Annotated[str, typer.Option(help="ISO 639-1; empty detects it.")] = "",
    hotwords: Annotated[str, typer.Option(help="Names and terms to expect.")] = "",
    track: Annotated[
        int, typer.Option(help="The audio track, counted from 1; 0 is the file's default.", min=0)
    ] = 0,
    speakers: Annotated[
        str, typer.Option(help="Tell speakers apart: auto, a number, or bounds such as 2-4.")
    ] = "",
    fmt: Annotated[str, typer.Option("--format", help="txt, srt, vtt or json.")] = "txt",
    out: Annotated[Path | None, typer.Option(help="A folder; else standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Transcribes recordings."""
    failures = FileFailures(len(files))
    done: list[dict[str, Any]] = []
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.core_components.text.subtitles import FORMATS, render
        from modules.tools.listening import transcribe as tool
        from modules.tools.listening.transcripts import write_transcript

        if fmt not in FORMATS:
            raise BadInputError(f"Unknown format {fmt!r}.", f"Choose {', '.join(FORMATS)}.")
        if out is not None:
            check_folder(out)
        options = {tool.HOTWORDS: hotwords} if hotwords else {}
        timed = as_json or fmt != "txt"
        for index, path in enumerate(files):
            transcript = None
            with failures.collected(path):
                request = tool.TranscribeRequest(
                    path,
                    model,
                    language,
                    options=options,
                    track=track,
                    timed=timed,
                    speakers=speakers,
                )
                transcript = tool.transcribe(services, request, progress, cancel)
            if transcript is None:
                continue
            for note in transcript.notes:
                logger.warning("%s: %s", path, note)
            target = _transcript_target(out, path, fmt, files[:index])
            if target is not None:
                write_transcript(transcript, fmt, target)
            elif not as_json:
                typer.echo(render(transcript, fmt))
            written = str(target) if target else None
            done.append({"file": str(path), "written": written, **plain(transcript)})
    if as_json:
        print_json({"transcripts": done, "failed": failures.records})
    failures.report()


def _transcript_target(out: Path | None, path: Path, fmt: str, earlier: list[Path]) -> Path | None:
    if out is None:
        return None
    out.mkdir(parents=True, exist_ok=True)
    # Two recordings of one name from different folders must not overwrite each other.
    twins = sum(other.stem == path.stem for other in earlier)
    return out / f"{path.stem}{f'-{twins + 1}' if twins else ''}.{fmt}"
