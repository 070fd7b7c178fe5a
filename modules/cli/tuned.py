"""`models tuned import|export|restore`: fine-tuned models in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modules.cli.common import errors_reported, print_json, progress_bar

tuned_app = typer.Typer(help="Fine-tuned models: taken in, taken along, brought back.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@tuned_app.command("import")
def import_tuned(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="The zip of a fine-tuned XTTS.")],
    name: Annotated[str, typer.Option(help="What to call it; empty takes the file's name.")] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read XTTS's licence and accept it.")
    ] = False,
    as_json: Json = False,
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
    as_json: Json = False,
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
    as_json: Json = False,
) -> None:
    """Brings a deleted fine-tuned model back."""
    from modules.tools.services import open_services

    with errors_reported(as_json):
        library = open_services(context.obj).tuned_models
        trashed = library.trashed()
        restored = library.restore(trash_id).name if trash_id else ""
    if as_json:
        print_json({"restored": restored, "trash": trashed})
    elif restored:
        typer.echo(f"Restored: {restored}")
    else:
        typer.echo("\n".join(trashed) or "The trash is empty.")
