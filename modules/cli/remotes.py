"""`remotes ...`: servers on other machines that speak and transcribe for this studio."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from modules.cli.common import Json, output, studio, working_studio

if TYPE_CHECKING:
    from modules.tools.models.remotes import KnownRemote

remotes_app = typer.Typer(
    help="Other machines' servers that speak and transcribe: add, list, remove, test."
)
Name = Annotated[str, typer.Argument(help="A name of your choice, as in remote:NAME/MODEL.")]


@remotes_app.command()
def add(
    context: typer.Context,
    name: Name,
    address: Annotated[str, typer.Argument(help="Such as http://192.168.1.20:7860.")],
    with_key: Annotated[
        bool,
        typer.Option("--with-key", help="Ask for its key (not shown), or read it from the input."),
    ] = False,
    speaks: Annotated[
        list[str] | None, typer.Option(help="A model there that speaks; repeatable.")
    ] = None,
    transcribes: Annotated[
        list[str] | None, typer.Option(help="A model there that transcribes; repeatable.")
    ] = None,
    clones: Annotated[
        bool | None, typer.Option(help="Its models take the voice of a sample that is sent.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that it may send nothing.")] = 120.0,
    as_json: Json = False,
) -> None:
    """Adds a server on another machine: a studio, vLLM-Omni, any with OpenAI's audio API.

    What you have it speak or transcribe is sent to that machine. Adding it sends nothing of yours.
    """
    with working_studio(context, as_json) as (services, _, cancel):
        from modules.tools.models.remotes import RemoteRequest, add_remote

        key = _read_key() if with_key else ""
        request = RemoteRequest(
            name, address, tuple(speaks or ()), tuple(transcribes or ()), clones, timeout
        )
        found = add_remote(services, request, key, cancel)
    output(as_json, found, *_lines(found))


@remotes_app.command("list")
def list_all(context: typer.Context, as_json: Json = False) -> None:
    """The servers that were added, as they were when they were asked last; asks none."""
    with studio(context, as_json) as services:
        from modules.tools.models.remotes import list_remotes

        found = list_remotes(services)
    table = Table("name", "address", "kind", "key", "speaks", "transcribes", "voices", box=None)
    for one in found:
        counts = (str(len(one.speaking)), str(len(one.listening)), str(one.voices))
        table.add_row(one.name, one.address, one.kind, "saved" if one.has_key else "none", *counts)
    lines = [table] if found else ["No other machine was added."]
    output(as_json, {"remotes": found}, *lines)


@remotes_app.command()
def remove(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Forgets a server and its key."""
    with studio(context, as_json) as services:
        from modules.tools.models.remotes import remove_remote

        remove_remote(services, name)
    output(as_json, {"removed": name}, f"Removed: {name}")


@remotes_app.command("test")
def ask_anew(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Asks a server anew what it has, and keeps that; sends no text and no recording."""
    with working_studio(context, as_json) as (services, _, cancel):
        from modules.tools.models.remotes import refresh_remote

        found = refresh_remote(services, name, cancel)
    output(as_json, found, *_lines(found))


def _read_key() -> str:
    if sys.stdin.isatty():
        given: str = typer.prompt("Key", hide_input=True, err=True)
        return given
    return sys.stdin.readline().strip()


def _lines(found: KnownRemote) -> list[str]:
    models = [entry.id for entry in (*found.speaking, *found.listening)]
    return [f"{found.name} answers at {found.address}.", *models, found.note]
