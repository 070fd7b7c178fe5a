"""`trash list|restore|empty`: what was deleted."""

from __future__ import annotations

from typing import Annotated

import typer

from modules.cli.common import Json, output, studio
from modules.core_components.units import size_text

trash_app = typer.Typer(help="What was deleted: list, restore, delete for good.")


@trash_app.command("list")
def list_items(context: typer.Context, as_json: Json = False) -> None:
    """Everything in the trash, with the id to restore it by."""
    with studio(context, as_json) as services:
        from modules.tools.trash import list_trash

        items = list_trash(services)
    lines = [f"{item.id}  {item.kind}  {size_text(item.size_bytes)}" for item in items]
    output(as_json, {"trash": items}, *(lines or ["The trash is empty."]))


@trash_app.command()
def restore(
    context: typer.Context,
    item_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Json = False,
) -> None:
    """Restores something that was deleted."""
    with studio(context, as_json) as services:
        from modules.tools.trash import restore_from_trash

        item = restore_from_trash(services, item_id)
    record = {"restored": item.name, "kind": item.kind}
    output(as_json, record, f"Restored the {item.kind} {item.name}.")


@trash_app.command()
def empty(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Deletes everything in the trash for good."""
    with studio(context, as_json) as services:
        from modules.tools.trash import empty_trash

        if not yes:
            typer.confirm("Delete everything in the trash for good?", abort=True)
        count, size_bytes = empty_trash(services)
    record = {"deleted": count, "bytes": size_bytes}
    output(as_json, record, f"Deleted {count} items, {size_text(size_bytes)}.")
