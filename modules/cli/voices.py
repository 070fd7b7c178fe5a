"""`voices list|save-mix|import|export|delete`: preset voices in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from modules.cli.common import errors_reported, print_json
from modules.core_components.values import OwnVoice

voices_app = typer.Typer(help="Stock voices, your own, and mixes. 'speak' speaks with them.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Label = Annotated[str, typer.Option("--name", help="What the voice is to be called.")]
Language = Annotated[str, typer.Option(help="The language it speaks best, such as en-us.")]


@voices_app.command("list")
def list_voices(context: typer.Context, as_json: Json = False) -> None:
    """The voices of the speaking model, your own among them."""
    from modules.tools.services import open_services
    from modules.tools.voices.preset_voices import preset_voices

    with errors_reported(as_json):
        services = open_services(context.obj)
        voices = preset_voices(services, services.tts.get(services.settings.tts_model))
    if as_json:
        print_json({"voices": voices})
        return
    table = Table("voice", "who", "language", "made from", box=None)
    for voice in voices:
        table.add_row(voice.name, voice.label, voice.language, voice.made_from)
    Console().print(table)


@voices_app.command("save-mix")
def save_mix(
    context: typer.Context,
    mix: Annotated[str, typer.Argument(help="Such as 'af_bella(2)+af_sky(1)-af_nicole(0.5)'.")],
    name: Label,
    language: Language = "",
    as_json: Json = False,
) -> None:
    """Keeps a mix of voices as a voice of your own."""
    from modules.tools.services import open_services
    from modules.tools.voices.own_voices import save_mix as save

    with errors_reported(as_json):
        _tell(save(open_services(context.obj), mix, name, language), as_json)


@voices_app.command("import")
def import_voice(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A Kokoro voice: .pt, .safetensors or .bin.")],
    name: Label = "",
    language: Language = "",
    as_json: Json = False,
) -> None:
    """Keeps a voice file as a voice of your own."""
    from modules.tools.services import open_services
    from modules.tools.voices.own_voices import import_voice as bring_in

    with errors_reported(as_json):
        _tell(bring_in(open_services(context.obj), file, name, language), as_json)


@voices_app.command("export")
def export(
    context: typer.Context,
    voice: Annotated[str, typer.Argument(help="A voice or a mix.")],
    out: Annotated[Path, typer.Option(help="The file: .pt, .safetensors or .bin.")],
    as_json: Json = False,
) -> None:
    """Writes a voice or a mix to a file that other Kokoro programs read."""
    from modules.tools.services import open_services
    from modules.tools.voices.own_voices import export_preset

    with errors_reported(as_json):
        written = export_preset(open_services(context.obj), voice, out)
        if as_json:
            print_json({"out": written})
        else:
            typer.echo(f"Written: {written}")


@voices_app.command("delete")
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A voice of your own.")],
    as_json: Json = False,
) -> None:
    """Moves a voice of your own to voices/.trash."""
    from modules.tools.services import open_services

    with errors_reported(as_json):
        trashed = open_services(context.obj).voices.delete(name)
    if as_json:
        print_json({"deleted": name, "trash": trashed})
    else:
        typer.echo(f"Deleted: {name}. It lies in voices/.trash/{trashed}.")


def _tell(voice: OwnVoice, as_json: bool) -> None:
    if as_json:
        print_json({"voice": voice})
    else:
        typer.echo(f"Kept as {voice.name}. Say: app.py speak --voice {voice.name} ...")
