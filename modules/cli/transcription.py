"""`transcribe`: recordings to text, subtitles or JSON."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modules.cli.common import (
    Cluster,
    FileFailures,
    Json,
    check_folder,
    plain,
    print_json,
    working_studio,
)
from modules.core_components.buckets import is_address
from modules.core_components.errors import BadInputError

if TYPE_CHECKING:
    from modules.core_components.progress import CancelToken, Progress
    from modules.core_components.values import Transcript
    from modules.tools.listening.transcribe import TranscribeRequest
    from modules.tools.listening.transcribe_many import Batch, Recording
    from modules.tools.services import Services

logger = logging.getLogger(__name__)


def transcribe(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            help="Recordings, video too, folders, and places in buckets (s3://bucket/folder)."
        ),
    ],
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
    cluster: Cluster = "",
    as_json: Json = False,
) -> None:
    """Transcribes recordings. With --out the same command goes on where it was stopped."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.core_components.text.subtitles import FORMATS
        from modules.tools.listening import transcribe_many as many
        from modules.tools.listening.transcribe import HOTWORDS, TranscribeRequest

        if fmt not in FORMATS:
            raise BadInputError(f"Unknown format {fmt!r}.", f"Choose {', '.join(FORMATS)}.")
        if cluster and out is None:
            raise BadInputError("With --cluster the texts need a folder.", "Name one with --out.")
        if out is None and any(map(is_address, files)):
            raise BadInputError("Texts of a bucket need a folder.", "Name one with --out.")
        if out is not None:
            check_folder(out)
        recordings = many.find_recordings(files)
        failures = FileFailures(len(recordings))
        request = TranscribeRequest(
            Path(),
            model,
            language,
            options={HOTWORDS: hotwords} if hotwords else {},
            track=track,
            timed=as_json or fmt != "txt",
            speakers=speakers,
            check_language=True,
        )
        if out is None:
            paths = [recording for recording, _ in recordings if isinstance(recording, Path)]
            done = _print_each(services, paths, request, fmt, failures, as_json, progress, cancel)
        else:
            from modules.tools.work.places import choose_executor

            executor = choose_executor(services, cluster)
            batch = many.transcribe_many(
                services, executor, recordings, request, fmt, out, progress, cancel
            )
            done = _describe(batch, as_json)
            for failure in batch.failures:
                failures.add(failure.item.name, failure.message, failure.hint)
    if as_json:
        print_json({"transcripts": done, "failed": failures.records})
    failures.report()


def _print_each(
    services: Services,
    recordings: Sequence[Path],
    request: TranscribeRequest,
    fmt: str,
    failures: FileFailures,
    as_json: bool,
    progress: Progress,
    cancel: CancelToken,
) -> list[dict[str, Any]]:
    """Transcribes the recordings one by one, each printed as soon as it is done."""
    from modules.core_components.text.subtitles import render
    from modules.tools.listening.transcribe import transcribe

    done: list[dict[str, Any]] = []
    for path in recordings:
        transcript = None
        with failures.collected(path):
            transcript = transcribe(services, replace(request, path=path), progress, cancel)
        if transcript is None:
            continue
        _warn(path, transcript)
        if not as_json:
            typer.echo(render(transcript, fmt))
        done.append({"file": str(path), "written": None, **plain(transcript)})
    return done


def _describe(batch: Batch, as_json: bool) -> list[dict[str, Any]]:
    """Warns of what is to be known of new transcripts; all of them as JSON, where it is wanted."""
    done: list[dict[str, Any]] = []
    for one in batch.transcribed:
        if one.was_there and not as_json:
            continue
        transcript = one.transcript()
        if not one.was_there:
            _warn(one.recording, transcript)
        if as_json:
            about = {"file": str(one.recording), "written": str(one.written)}
            done.append({**about, "was_there": one.was_there, **plain(transcript)})
    there = sum(one.was_there for one in batch.transcribed)
    if there and not as_json:
        typer.echo(
            f"{there} of {len(batch.transcribed)} were transcribed before and are as they were."
        )
    return done


def _warn(path: Recording, transcript: Transcript) -> None:
    for note in transcript.notes:
        logger.warning("%s: %s", path, note)
