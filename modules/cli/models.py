"""`models list|download|delete|status`: the catalog in the terminal."""

from __future__ import annotations

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
