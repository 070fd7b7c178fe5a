"""`dataset create|add|list|show|export|import|delete`: datasets in the terminal.

With `--json` the adding commands print a line of JSON for each step as it happens; the last line is
the summary.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from modules.cli.common import errors_reported, plain, print_json, progress_bar
from modules.core_components.progress import CancelToken, Progress

dataset_app = typer.Typer(help="Recordings cut into clips with their texts, to train a voice on.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="The dataset; see 'dataset list'.")]
Inputs = Annotated[
    list[Path], typer.Argument(help="Files, folders, archives, videos, subtitles, metadata.")
]
Language = Annotated[str, typer.Option(help="ISO 639-1, such as en or it.")]
Speaker = Annotated[str, typer.Option(help="Who speaks; else the dataset's name.")]
Model = Annotated[str, typer.Option(help="The listening model, such as whisper-base.")]
Precision = Annotated[str, typer.Option(help="auto, int8, float16, float32, ...")]
Batch = Annotated[int, typer.Option(help="Stretches listened to at once.", min=1, max=64)]
Again = Annotated[bool, typer.Option("--again", help="Cut anew what is there already.")]


@dataset_app.command()
def create(
    context: typer.Context,
    name: Name,
    language: Language,
    speaker: Speaker = "",
    as_json: Json = False,
) -> None:
    """Makes an empty dataset.

    By making it you confirm that it is your voice, or that the speaker agreed to this use.
    """
    from modules.tools.services import open_services

    with errors_reported(as_json):
        dataset = open_services(context.obj).datasets.create(name, language, speaker, agreed=True)
        if as_json:
            print_json({"dataset": dataset.name, "folder": dataset.folder})
        else:
            typer.echo(f"Created in {dataset.folder}. Now: app.py dataset add {dataset.name!r} ...")


@dataset_app.command()
def add(
    context: typer.Context,
    name: Name,
    inputs: Inputs,
    model: Model = "",
    precision: Precision = "auto",
    batch_size: Batch = 8,
    again: Again = False,
    as_json: Json = False,
) -> None:
    """Adds recordings. Stopped or killed, the same command goes on where it was."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services

        request = _request(name, inputs, model, precision, batch_size, again)
        _add(open_services(context.obj), request, as_json, progress, cancel)


@dataset_app.command("import")
def import_dataset(
    context: typer.Context,
    name: Name,
    inputs: Inputs,
    language: Language,
    speaker: Speaker = "",
    model: Model = "",
    precision: Precision = "auto",
    as_json: Json = False,
) -> None:
    """Makes a dataset of LJSpeech's or coqui's kind one's own, with its texts and its split.

    By making it you confirm that it is your voice, or that the speaker agreed to this use.
    """
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.core_components.errors import NotFoundError
        from modules.tools.services import open_services

        services = open_services(context.obj)
        try:
            services.datasets.get(name)
        except NotFoundError:
            services.datasets.create(name, language, speaker, agreed=True)
        request = _request(name, inputs, model, precision, 8, False)
        _add(services, request, as_json, progress, cancel)


@dataset_app.command("list")
def list_datasets(context: typer.Context, as_json: Json = False) -> None:
    """The datasets with their rows and minutes."""
    from modules.tools.dataset.build import contents
    from modules.tools.services import open_services

    with errors_reported(as_json):
        datasets = open_services(context.obj).datasets.list()
        rows = [
            {"name": d.name, "language": d.language, "speaker": d.speaker, **plain(contents(d))}
            for d in datasets
        ]
    if as_json:
        print_json({"datasets": rows})
        return
    table = Table("dataset", "language", "speaker", "train", "eval", "minutes", box=None)
    for row in rows:
        counts = (str(row["train_rows"]), str(row["eval_rows"]), f"{row['kept_s'] / 60:.1f}")
        table.add_row(row["name"], row["language"], row["speaker"], *counts)
    Console().print(table)


@dataset_app.command()
def show(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """What a dataset holds, and what was left out of its recordings and why."""
    from modules.tools.dataset.build import contents
    from modules.tools.services import open_services

    with errors_reported(as_json):
        dataset = open_services(context.obj).datasets.get(name)
    held = contents(dataset)
    if as_json:
        print_json({"dataset": dataset, "contents": held})
        return
    typer.echo(f"{dataset.name}: {dataset.speaker}, {dataset.language}, in {dataset.folder}")
    _tell_contents(held)
    for clip in dataset.clips:
        mark = f"left out: {clip.dropped}" if clip.dropped else clip.subset
        typer.echo(f"{clip.id}  {clip.duration_s:5.2f} s  {mark:5}  {clip.text}")


@dataset_app.command()
def export(
    context: typer.Context,
    name: Name,
    out: Annotated[Path, typer.Option(help="A new folder, or a file that ends in .zip.")],
    as_json: Json = False,
) -> None:
    """Writes a dataset in LJSpeech's layout."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.dataset.export import export_ljspeech
        from modules.tools.services import open_services

        written = export_ljspeech(open_services(context.obj), name, out, progress, cancel)
        if as_json:
            print_json({"out": written})
        else:
            typer.echo(f"Written: {written}")


@dataset_app.command()
def delete(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Moves a dataset to datasets/.trash."""
    from modules.tools.services import open_services

    with errors_reported(as_json):
        trashed = open_services(context.obj).datasets.delete(name)
    if as_json:
        print_json({"deleted": name, "trash": trashed})
    else:
        typer.echo(f"Deleted: {name}. It lies in datasets/.trash/{trashed}.")


def _request(
    name: str, inputs: list[Path], model: str, precision: str, batch_size: int, again: bool
) -> Any:
    from modules.tools.dataset.build import DatasetRequest

    paths = tuple(str(path.resolve()) for path in inputs)
    return DatasetRequest(
        name, paths, model_id=model, precision=precision, batch_size=batch_size, replace=again
    )


def _add(
    services: Any, request: Any, as_json: bool, progress: Progress, cancel: CancelToken
) -> None:
    from modules.tools.dataset.build import build_dataset

    def report(fraction: float, message: str) -> None:
        progress(fraction, message)
        if as_json:
            _print_line({"fraction": round(fraction, 4), "message": message})

    summary = build_dataset(services, request, report, cancel)
    if as_json:
        _print_line(plain(summary))
    else:
        typer.echo(f"Added {len(summary.added)}, there already {len(summary.already_there)}.")
        _tell_contents(summary.contents)
        for refused in summary.refused:
            typer.echo(f"Not used: {refused.name}. {refused.message} {refused.hint}", err=True)
    if summary.refused:
        raise typer.Exit(1)


def _print_line(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _tell_contents(held: Any) -> None:
    typer.echo(
        f"{held.train_rows} rows to train, {held.eval_rows} to evaluate; "
        f"{held.kept_s / 60:.1f} of {held.recorded_s / 60:.1f} minutes kept."
    )
    for reason, seconds in held.dropped_s.items():
        typer.echo(f"Left out, {reason}: {seconds:.1f} s")
