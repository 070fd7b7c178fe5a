"""`dataset create|add|import|list|show|export|delete`.

With `--json` the adding commands print a line of JSON for each step as it happens; the last line is
the summary.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from modules.cli.common import (
    Cluster,
    Json,
    check_folder,
    check_out,
    output,
    plain,
    print_json,
    studio,
    working_studio,
)
from modules.core_components.errors import NotFoundError
from modules.core_components.progress import CancelToken, Progress

if TYPE_CHECKING:
    from modules.tools.dataset.build import DatasetContents, DatasetRequest
    from modules.tools.services import Services
    from modules.tools.work.executor import Executor

dataset_app = typer.Typer(help="Recordings cut into clips with their texts, to train a voice on.")
Name = Annotated[str, typer.Argument(help="The dataset; see 'dataset list'.")]
Inputs = Annotated[
    list[Path], typer.Argument(help="Files, folders, archives, videos, subtitles, metadata.")
]
SpokenLanguage = Annotated[str, typer.Option(help="ISO 639-1, such as en or it.")]
Speaker = Annotated[str, typer.Option(help="The speaker's name; else the dataset's.")]
Model = Annotated[str, typer.Option(help="The listening model, such as base or large-v3.")]
Precision = Annotated[str, typer.Option(help="auto, int8, float16, float32, ...")]
Batch = Annotated[
    int,
    typer.Option(
        help="Segments transcribed at once on a GPU; at most two on a CPU.", min=1, max=64
    ),
]
Speakers = Annotated[
    str, typer.Option(help="Tell speakers apart: auto, a number, or bounds such as 2-4.")
]
Take = Annotated[
    str,
    typer.Option(
        help="With --speakers: main (who speaks most, the default), each (all of them, by name), "
        "or the name that a speaker has in a transcript. Each of them must have agreed."
    ),
]
Clean = Annotated[
    bool, typer.Option("--clean", help="Remove noise from the clips; the recordings stay as is.")
]
Again = Annotated[bool, typer.Option("--again", help="Cut recordings again that were added.")]


@dataset_app.command()
def create(
    context: typer.Context,
    name: Name,
    language: SpokenLanguage,
    speaker: Speaker = "",
    as_json: Json = False,
) -> None:
    """Makes an empty dataset.

    By making it you confirm that it is your voice, or that the speaker agreed to this use.
    """
    with studio(context, as_json) as services:
        dataset = services.datasets.create(name, language, speaker, agreed=True)
    record = {"dataset": dataset.name, "folder": dataset.folder}
    hint = f"Next: app.py dataset add {dataset.name!r} ..."
    output(as_json, record, f"Created in {dataset.folder}. {hint}")


@dataset_app.command()
def add(
    context: typer.Context,
    name: Name,
    inputs: Inputs,
    model: Model = "",
    precision: Precision = "auto",
    batch_size: Batch = 8,
    again: Again = False,
    speakers: Speakers = "",
    take: Take = "",
    clean: Clean = False,
    cluster: Cluster = "",
    as_json: Json = False,
) -> None:
    """Adds recordings. When it was stopped, the same command resumes it."""
    with working_studio(context, as_json) as (services, progress, cancel):
        request = _request(name, inputs, model, precision, batch_size, again, clean)
        request = replace(request, speakers=speakers, take=take)
        from modules.tools.work.places import choose_executor

        executor = choose_executor(services, cluster)
        _add(services, request, as_json, progress, cancel, executor)


@dataset_app.command("import")
def import_dataset(
    context: typer.Context,
    name: Name,
    inputs: Inputs,
    language: SpokenLanguage,
    speaker: Speaker = "",
    model: Model = "",
    precision: Precision = "auto",
    clean: Clean = False,
    as_json: Json = False,
) -> None:
    """Imports a dataset in the layout of LJSpeech or coqui, with its texts and its split.

    By importing it you confirm that it is your voice, or that the speaker agreed to this use.
    """
    with working_studio(context, as_json) as (services, progress, cancel):
        try:
            services.datasets.get(name)
        except NotFoundError:
            services.datasets.create(name, language, speaker, agreed=True)
        request = _request(name, inputs, model, precision, 8, False, clean)
        _add(services, request, as_json, progress, cancel)


@dataset_app.command("list")
def list_datasets(context: typer.Context, as_json: Json = False) -> None:
    """The datasets with their rows and minutes."""
    with studio(context, as_json) as services:
        from modules.tools.dataset.build import contents

        rows = [
            {"name": d.name, "language": d.language, "speaker": d.speaker, **plain(contents(d))}
            for d in services.datasets.list()
        ]
    table = Table("dataset", "language", "speaker", "train", "eval", "minutes", box=None)
    for row in rows:
        counts = (str(row["train_rows"]), str(row["eval_rows"]), f"{row['kept_s'] / 60:.1f}")
        table.add_row(row["name"], row["language"], row["speaker"], *counts)
    output(as_json, {"datasets": rows}, table)


@dataset_app.command()
def show(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """The clips of a dataset, and which parts of its recordings were excluded and why."""
    with studio(context, as_json) as services:
        from modules.tools.dataset.build import contents
        from modules.tools.dataset.interview import TWO_VOICES

        dataset = services.datasets.get(name)
        held = contents(dataset)
    lines = [f"{dataset.name}: {dataset.speaker}, {dataset.language}, in {dataset.folder}"]
    lines += _describe(held)
    for clip in dataset.clips:
        mark = f"excluded: {clip.dropped}" if clip.dropped else clip.subset
        lines.append(f"{clip.id}  {clip.duration_s:5.2f} s  {mark:5}  {clip.text}")
    for source in dataset.sources:
        for gap in source.dropped:
            if gap.reason == TWO_VOICES:
                lines.append(f"{source.name}  {gap.start_s:.1f}-{gap.end_s:.1f} s  {gap.reason}")
    output(as_json, {"dataset": dataset, "contents": held}, *lines)


@dataset_app.command()
def export(
    context: typer.Context,
    name: Name,
    out: Annotated[Path, typer.Option(help="A new folder, or a file that ends in .zip.")],
    as_json: Json = False,
) -> None:
    """Writes a dataset in LJSpeech's layout."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.dataset.export import export_ljspeech

        check_folder(out.parent)
        written = export_ljspeech(services, name, out, progress, cancel)
    output(as_json, {"out": written}, f"Written: {written}")


@dataset_app.command()
def report(
    context: typer.Context,
    name: Name,
    out: Annotated[
        Path | None, typer.Option(help="A table of all clips: a file that ends in .csv or .xlsx.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measures every clip and says what is wrong with which, worst first."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.dataset.report import report_of
        from modules.tools.dataset.report_table import report_table, write_report

        if out is not None:
            check_out(out)
        found = report_of(services, name, progress, cancel)
        table = report_table(services.datasets.get(name), found)
        if out is not None:
            write_report(table, out)
    lines = [f"{found.clips} clips, {found.minutes:.1f} min, {len(found.findings)} findings."]
    lines += [
        f"{item.severity:5} {item.clip_id or 'dataset'}: {item.message} {item.hint}".rstrip()
        for item in found.findings
    ]
    lines += [found.noise_removed] if found.noise_removed else []
    lines += [*found.not_checked, *([f"Written: {out}"] if out else [])]
    output(as_json, {"report": found, "out": out}, *lines)


@dataset_app.command()
def delete(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Moves a dataset to the trash."""
    with studio(context, as_json) as services:
        trashed = services.datasets.delete(name)
    record = {"deleted": name, "trash": trashed}
    output(as_json, record, f"Deleted: {name}. Restore it with: app.py trash restore {trashed}")


def _request(
    name: str,
    inputs: list[Path],
    model: str,
    precision: str,
    batch_size: int,
    again: bool,
    clean: bool,
) -> DatasetRequest:
    from modules.tools.dataset.build import DatasetRequest

    return DatasetRequest(
        name,
        tuple(str(path.resolve()) for path in inputs),
        model_id=model,
        precision=precision,
        batch_size=batch_size,
        replace=again,
        denoise=clean,
    )


def _add(
    services: Services,
    request: DatasetRequest,
    as_json: bool,
    progress: Progress,
    cancel: CancelToken,
    executor: Executor | None = None,
) -> None:
    from modules.tools.dataset.build import build_dataset, some_of

    def report(fraction: float, message: str) -> None:
        progress(fraction, message)
        if as_json:
            print_json({"fraction": round(fraction, 4), "message": message})

    summary = build_dataset(services, request, report, cancel, executor=executor)
    counts = f"Added {len(summary.added)}, skipped {len(summary.already_there)} that it has."
    output(as_json, summary, counts, *_describe(summary.contents))
    if summary.other_language and not as_json:
        typer.echo(" ".join(summary.language_warning), err=True)
    if summary.unused and not as_json:
        typer.echo(f"Not used: {some_of(summary.unused)}.", err=True)
    if summary.refused:
        for refused in () if as_json else summary.refused:
            typer.echo(f"Not used: {refused.name}. {refused.message} {refused.hint}", err=True)
        raise typer.Exit(1)


def _describe(held: DatasetContents) -> list[str]:
    return [
        f"{held.train_rows} rows to train, {held.eval_rows} to evaluate; "
        f"{held.kept_s / 60:.1f} of {held.recorded_s / 60:.1f} minutes kept.",
        *(f"Excluded, {reason}: {seconds:.1f} s" for reason, seconds in held.dropped_s.items()),
    ]
