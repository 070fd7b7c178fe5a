"""What the commands share: services, progress, output, options, errors with a remedy."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from modules.cli.failures import explain
from modules.core_components.atomic import check_writable
from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.progress import Progress as ProgressListener

if TYPE_CHECKING:
    from modules.tools.services import Services

logger = logging.getLogger(__name__)

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Language = Annotated[str, typer.Option(help="Language code, such as en-us or it.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter, such as temperature=0.8; repeatable."),
]
Cluster = Annotated[
    str,
    typer.Option(
        help="Where to work: HOST:PORT of a Ray cluster, local for several workers on this "
        "machine, none for this process; else as in the settings."
    ),
]
AcceptLicence = Annotated[
    bool, typer.Option("--accept-licence", help="You have read the licence and accept it.")
]


@contextmanager
def studio(context: typer.Context, as_json: bool) -> Iterator[Services]:
    """The services of the data root, for a command; its errors are reported.

    They are imported here, as torch comes with them: `--help` answers at once.
    """
    with errors_reported(as_json):
        from modules.tools.services import open_services

        yield open_services(context.obj)


@contextmanager
def working_studio(
    context: typer.Context, as_json: bool
) -> Iterator[tuple[Services, ProgressListener, CancelToken]]:
    """As `studio`, with a progress bar, for a command that takes time."""
    with studio(context, as_json) as services, progress_bar(as_json) as (progress, cancel):
        yield services, progress, cancel


def output(as_json: bool, record: Any, *lines: str | Table) -> None:
    """Prints the record as one JSON object, or the lines for people."""
    if as_json:
        print_json(record)
        return
    for line in lines:
        if isinstance(line, Table):
            Console().print(line)
        else:
            typer.echo(line)


def print_json(value: Any) -> None:
    """One JSON object on a line of its own on standard output."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Dataclasses, models, paths, times and tuples as JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({item.name: getattr(value, item.name) for item in dataclasses.fields(value)})
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value


@contextmanager
def errors_reported(as_json: bool) -> Iterator[None]:
    """Turns errors into a message with its remedy and an exit code that is not 0."""
    try:
        yield
    except (JobCancelled, KeyboardInterrupt) as stopped:
        if as_json:
            print_json({"error": "Stopped.", "hint": "Run the same command again to go on."})
        else:
            Console(stderr=True).print("Stopped. What was finished is kept.")
        raise typer.Exit(EXIT_INTERRUPTED) from stopped
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        report(error, as_json)
        raise typer.Exit(EXIT_FAILED) from error


def report(error: Exception, as_json: bool = False) -> None:
    """Prints an error as a sentence and what to do; its traceback goes to the log."""
    explained = explain(error)
    if as_json:
        details = {"details": explained.details} if explained.details else {}
        print_json({"error": explained.message, "hint": explained.hint, **details})
        return
    # Long paths stay in one piece, to be copied.
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"[bold red]Error:[/] {_escaped(explained.message)}")
    if explained.hint:
        console.print(f"[bold]What to do:[/] {_escaped(explained.hint)}")
    if explained.details:
        console.print(f"[bold]Details:[/] {_escaped(explained.details)}")


@contextmanager
def progress_bar(quiet: bool) -> Iterator[tuple[ProgressListener, CancelToken]]:
    """A bar on standard error, and a token that the first Ctrl-C sets (the second interrupts)."""
    cancel = CancelToken()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if cancel.cancelled:
            raise KeyboardInterrupt
        cancel.cancel()

    before = signal.signal(signal.SIGINT, on_interrupt)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    )
    try:
        with bar:
            task = bar.add_task("Starting", total=1.0)
            yield (
                lambda fraction, message: bar.update(
                    task, completed=fraction, description=_escaped(message)
                ),
                cancel,
            )
    finally:
        signal.signal(signal.SIGINT, before)


def read_text_file(path: Path) -> str:
    """The text of a UTF-8 file. Raises BadInputError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"The text file {path} cannot be read ({error}).", "Give a UTF-8 text file."
        ) from error


def parse_parameters(given: list[str] | None) -> dict[str, Any]:
    """`NAME=VALUE` pairs of --set; whether the options exist is checked where they are used."""
    parsed: dict[str, Any] = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInputError(f"--set {pair} has no value.", "Write --set NAME=VALUE.")
        value = value.strip()
        name = name.strip().replace("-", "_")
        parsed[name] = {"true": True, "false": False}.get(value.lower(), value)
    return parsed


def audio_format_of(out: Path) -> str:
    """The audio format that the name of the file to write asks for.

    Raises BadInputError, and as `check_out`.
    """
    fmt = out.suffix.lstrip(".").lower()
    if fmt not in ("wav", "flac", "mp3"):
        raise BadInputError(
            f"{out.name} does not say which audio format to write.",
            "Let the name end in .wav, .flac or .mp3.",
        )
    check_out(out)
    return fmt


class FileFailures:
    """What went wrong with single ones of several files, while the others are worked on."""

    def __init__(self, count: int) -> None:
        self._is_only_one = count == 1
        self.records: list[dict[str, str]] = []

    @contextmanager
    def collected(self, path: Path) -> Iterator[None]:
        """Keeps a StudioError over this file; raises it where there is no other file."""
        try:
            yield
        except StudioError as error:
            if self._is_only_one:
                raise
            self.add(str(path), error.message, error.hint)

    def add(self, path: str, message: str, hint: str) -> None:
        """Keeps what went wrong with a file; raises it where there is no other file."""
        if self._is_only_one:
            raise StudioError(message, hint)
        self.records.append({"file": path, "error": message, "hint": hint})

    def report(self) -> None:
        """Logs them, and ends the command with exit code 1 if there are any."""
        for failure in self.records:
            logger.error("%s: %s %s", failure["file"], failure["error"], failure["hint"])
        if self.records:
            raise typer.Exit(EXIT_FAILED)


def check_out(out: Path, needed_bytes: int = 0) -> None:
    """Checks before the work that a file can be written to `out`.

    Raises BadInputError for a folder, NotWritableError, and DiskFullError if less than
    `needed_bytes` are free.
    """
    if out.is_dir():
        raise BadInputError(f"{out} is a folder.", "Give the name of a file.")
    check_folder(out.parent, needed_bytes)


def check_folder(folder: Path, needed_bytes: int = 0) -> None:
    """As `check_out`, for a folder to write into."""
    hint = "Choose another place with --out, or make this one writable."
    check_writable(folder, hint, needed_bytes)


def leave(code: int) -> None:
    """Ends the process at once: idle model threads have nothing left to save."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
