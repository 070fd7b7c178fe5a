"""`trash`: what was deleted, bringing it back, deleting it for good."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from modules.cli.common import errors_reported, print_json
from modules.core_components.units import size_text

trash_app = typer.Typer(help="What was deleted: list, restore, delete for good.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@trash_app.command("list")
def list_items(context: typer.Context, as_json: Json = False) -> None:
    """Everything in the trash, with the id to restore it by."""
    from modules.tools.services import open_services
    from modules.tools.trash import list_trash

    with errors_reported(as_json):
        items = list_trash(open_services(context.obj))
    if as_json:
        rows = [{**dataclasses.asdict(item), "deleted": item.deleted.isoformat()} for item in items]
        print_json({"trash": rows})
        return
    for item in items:
        typer.echo(f"{item.id}  {item.kind}  {size_text(item.size_bytes)}")
    if not items:
        typer.echo("The trash is empty.")


@trash_app.command("restore")
def restore(
    context: typer.Context,
    item_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Json = False,
) -> None:
    """Brings something back."""
    from modules.tools.services import open_services
    from modules.tools.trash import restore_from_trash

    with errors_reported(as_json):
        item = restore_from_trash(open_services(context.obj), item_id)
    if as_json:
        print_json({"restored": item.name, "kind": item.kind})
    else:
        typer.echo(f"Restored the {item.kind} {item.name}.")


@trash_app.command("empty")
def empty(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Deletes everything in the trash for good."""
    from modules.tools.services import open_services
    from modules.tools.trash import empty_trash

    with errors_reported(as_json):
        if not yes:
            typer.confirm("Delete everything in the trash for good?", abort=True)
        count, size_bytes = empty_trash(open_services(context.obj))
    if as_json:
        print_json({"deleted": count, "bytes": size_bytes})
    else:
        typer.echo(f"Deleted {count} items, {size_text(size_bytes)}.")
