"""`models list|download|delete|status`: the catalog in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from modules.cli.common import errors_reported, print_json, progress_bar
from modules.core_components.errors import BadInputError
from modules.core_components.progress import scaled

models_app = typer.Typer(help="What can be loaded, what is here, and getting more.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Models = Annotated[list[str] | None, typer.Argument(help="Model ids; see 'models list'.")]


@models_app.command("list")
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """Every model of the catalog: what is here, size, licence."""
    from modules.tools.models.library import list_models as listed
    from modules.tools.services import open_services

    with errors_reported(as_json):
        rows = listed(open_services(context.obj))
    if as_json:
        print_json({"models": rows})
        return
    table = Table("model", "what it is", "here", "size", "licence", box=None)
    for row in rows:
        size = f"{(row.bytes_on_disk or row.entry.download_bytes) / 1e6:,.0f} MB"
        here = row.state if row.usable else f"{row.state} (engine comes later)"
        table.add_row(row.entry.id, row.entry.label, here, size, row.entry.licence.name)
    Console().print(table)


@models_app.command()
def status(context: typer.Context, models: Models = None, as_json: Json = False) -> None:
    """Whether models are complete and unharmed (reads every file)."""
    from modules.tools.models.library import check
    from modules.tools.services import open_services

    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        rows = check(open_services(context.obj), tuple(models or ()), progress, cancel)
    if as_json:
        print_json({"models": rows})
    else:
        for row in rows:
            typer.echo(f"{row.model_id}: {row.state}{f' - {row.problem}' if row.problem else ''}")
    if any(row.problem for row in rows):
        raise typer.Exit(1)


@models_app.command()
def download(
    context: typer.Context,
    models: Models = None,
    starter: Annotated[bool, typer.Option("--starter", help="All starter models.")] = False,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence and accept it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetches models; goes on where an earlier try broke off."""
    from modules.tools.models import library
    from modules.tools.services import open_services

    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        services = open_services(context.obj)
        wanted = [*(models or ()), *(library.starter_ids(services) if starter else ())]
        if not wanted:
            raise BadInputError("No model was named.", "Name one, or use --starter.")
        folders = {}
        for index, model_id in enumerate(wanted):
            if accept_licence:
                library.accept_licence(services, model_id)
            part = scaled(progress, index / len(wanted), (index + 1) / len(wanted))
            folders[model_id] = library.download(services, model_id, part, cancel)
            if not as_json:
                typer.echo(f"Here: {model_id} in {folders[model_id]}")
    if as_json:
        print_json({"folders": folders})


@models_app.command()
def delete(
    context: typer.Context,
    models: Annotated[list[str], typer.Argument(help="Model ids.")],
    as_json: Json = False,
) -> None:
    """Deletes models from the disk."""
    from modules.tools.models import library
    from modules.tools.services import open_services

    with errors_reported(as_json):
        services = open_services(context.obj)
        for model_id in models:
            library.delete(services, model_id)
    if as_json:
        print_json({"deleted": models})
    else:
        typer.echo(f"Deleted: {', '.join(models)}")


@models_app.command()
def prompts(
    context: typer.Context,
    models: Models = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Delete them, all or those of the models named.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The voices prepared from samples: how many and how large for each model."""
    from modules.tools.services import open_services
    from modules.tools.voices.prompt_cache import clear_prepared_voices, prepared_voices

    with errors_reported(as_json):
        services = open_services(context.obj)
        freed = 0
        if clear:
            freed = sum(clear_prepared_voices(services, name) for name in models or (None,))
        rows = [row for row in prepared_voices(services) if not models or row.model_id in models]
    if as_json:
        print_json({"prepared": rows, "freed_bytes": freed})
        return
    if clear:
        typer.echo(f"Freed: {freed / 1e6:,.1f} MB")
    table = Table("model", "revision", "voices", "size", "", box=None)
    for row in rows:
        stale = "" if row.current else "not used any more"
        size = f"{row.nbytes / 1e6:,.1f} MB"
        table.add_row(row.label, row.revision[:12], str(row.count), size, stale)
    Console().print(table)


# `models plan|configure`: what fits into memory, and how single models are loaded.


ModelMemoryJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Model = Annotated[str, typer.Argument(help="A model id; see 'models list'.")]


def plan(context: typer.Context, model: Model, as_json: ModelMemoryJson = False) -> None:
    """What loading a model needs on its device, and what to take where that does not fit."""
    from modules.tools.models.memory import load_plan, smaller_sizes
    from modules.tools.services import open_services

    with errors_reported(as_json):
        services = open_services(context.obj)
        found = load_plan(services, model)
        smaller = smaller_sizes(services, model) if found and not found.fits else ()
    if as_json:
        words = found.in_words() if found else ""
        print_json({"plan": found, "in_words": words, "would_fit": smaller})
        return
    typer.echo(found.in_words() if found else f"{model} is not kept by the studio's memory.")
    if smaller:
        typer.echo(f"These would fit: {', '.join(smaller)}.")


def configure(
    context: typer.Context,
    model: Model,
    device: Annotated[str | None, typer.Option(help="Such as cuda:1 or cpu.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16.")] = None,
    attention: Annotated[
        str | None, typer.Option(help="auto, flash_attention_2, sdpa or eager.")
    ] = None,
    keep_loaded: Annotated[
        bool | None, typer.Option(help="Stays in memory however long nobody uses it.")
    ] = None,
    preload: Annotated[bool | None, typer.Option(help="Is loaded when the studio starts.")] = None,
    as_json: ModelMemoryJson = False,
) -> None:
    """Chooses how one model is loaded; "" takes back what was chosen. Without options it tells."""
    from modules.tools.models.memory import configure_model
    from modules.tools.services import open_services

    given = {
        "device": device,
        "precision": precision,
        "attention_mechanism": attention,
        "keep_loaded": keep_loaded,
        "preload": preload,
    }
    with errors_reported(as_json):
        changes = {name: value for name, value in given.items() if value is not None}
        own = configure_model(open_services(context.obj), model, changes)
    if as_json:
        print_json({"model": model, "settings": own})
        return
    chosen = ", ".join(f"{name} = {value}" for name, value in own.chosen().items())
    typer.echo(f"{model}: {chosen or 'as for all models'}")


# `models tuned import|export|restore`: fine-tuned models in the terminal.


tuned_app = typer.Typer(help="Fine-tuned models: taken in, taken along, brought back.")
TunedJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@tuned_app.command("import")
def import_tuned(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="The zip of a fine-tuned XTTS.")],
    name: Annotated[str, typer.Option(help="What to call it; empty takes the file's name.")] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read XTTS's licence and accept it.")
    ] = False,
    as_json: TunedJson = False,
) -> None:
    """Takes in a fine-tuned model; it stands in every list at once."""
    from modules.tools.models import library, tuned_models
    from modules.tools.services import open_services

    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        services = open_services(context.obj)
        if accept_licence:
            library.accept_licence(services, tuned_models.BASE)
        model = tuned_models.import_tuned(services, archive, name, progress, cancel)
    model_id = tuned_models.model_id_of(model)
    if as_json:
        print_json({"model": model_id, "folder": model.folder, "card": model.card})
    else:
        typer.echo(f"Here: {model_id} in {model.folder}")


@tuned_app.command("export")
def export_tuned(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The model, as in 'models list' or its folder.")],
    out: Annotated[Path | None, typer.Argument(help="The zip to write; NAME.zip if left out.")] = (
        None
    ),
    as_json: TunedJson = False,
) -> None:
    """Packs a fine-tuned model to be taken along."""
    from modules.tools.models import tuned_models
    from modules.tools.services import open_services

    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        services = open_services(context.obj)
        tuned = services.tts.tuned_model(name)
        target = out or Path(f"{tuned.name if tuned else name}{tuned_models.SUFFIX}")
        chosen = tuned.name if tuned else name
        file = tuned_models.export_tuned(services, chosen, target.resolve(), progress, cancel)
    if as_json:
        print_json({"file": file})
    else:
        typer.echo(f"Written: {file}")


@tuned_app.command("restore")
def restore_tuned(
    context: typer.Context,
    trash_id: Annotated[str, typer.Argument(help="Empty lists what is in the trash.")] = "",
    as_json: TunedJson = False,
) -> None:
    """Brings a deleted fine-tuned model back."""
    from modules.tools.services import open_services

    with errors_reported(as_json):
        library = open_services(context.obj).tuned_models
        trashed = library.trash.ids()
        restored = library.restore(trash_id).name if trash_id else ""
    if as_json:
        print_json({"restored": restored, "trash": trashed})
    elif restored:
        typer.echo(f"Restored: {restored}")
    else:
        typer.echo("\n".join(trashed) or "The trash is empty.")


# `bench`: how fast the models are on this machine.


def bench(
    context: typer.Context,
    models: Annotated[
        list[str] | None, typer.Argument(help="Model ids; without any, all that are installed.")
    ] = None,
    sample: Annotated[
        str, typer.Option(help="The voice for models without one of their own.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measures how models speak a text and listen to it: load, first audio, speed, memory, words.

    "Of real time" is the computing of a second of audio in seconds: below 1 it is faster than one
    can listen. Memory is the most that the whole process held. The result is kept under output.
    """
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.models.benchmark import HEADERS, BenchmarkRequest, cells, run_benchmark
        from modules.tools.services import open_services

        services = open_services(context.obj)
        request = BenchmarkRequest(tuple(models or ()), sample)
        found = run_benchmark(services, request, progress, cancel)
    if as_json:
        print_json(found)
        return
    table = Table(*HEADERS, box=None)
    for figures in found.figures:
        table.add_row(*cells(figures))
    Console().print(table)
