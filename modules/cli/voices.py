"""`voices list|save-mix|import|export|delete`: preset voices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from modules.cli.common import Json, check_out, output, studio
from modules.core_components.values import OwnVoice

voices_app = typer.Typer(help="Stock voices, your own, and mixes. 'speak' speaks with them.")
Label = Annotated[str, typer.Option("--name", help="The name of the voice.")]
VoiceLanguage = Annotated[str, typer.Option(help="The language it speaks best, such as en-us.")]


@voices_app.command("list")
def list_voices(context: typer.Context, as_json: Json = False) -> None:
    """The voices of the default speaking model, your own among them."""
    with studio(context, as_json) as services:
        from modules.tools.voices.preset_voices import preset_voices

        voices = preset_voices(services, services.tts.get(services.settings.tts_model))
    table = Table("voice", "label", "language", "made from", box=None)
    for voice in voices:
        table.add_row(voice.name, voice.label, voice.language, voice.made_from)
    output(as_json, {"voices": voices}, table)


@voices_app.command("save-mix")
def save_mix(
    context: typer.Context,
    mix: Annotated[str, typer.Argument(help="Such as 'af_bella(2)+af_sky(1)-af_nicole(0.5)'.")],
    name: Label,
    language: VoiceLanguage = "",
    as_json: Json = False,
) -> None:
    """Keeps a mix of voices as a voice of your own."""
    with studio(context, as_json) as services:
        from modules.tools.voices import own_voices

        voice = own_voices.save_mix(services, mix, name, language)
    _output_kept(voice, as_json)


@voices_app.command("import")
def import_voice(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A Kokoro voice: .pt, .safetensors or .bin.")],
    name: Label = "",
    language: VoiceLanguage = "",
    as_json: Json = False,
) -> None:
    """Keeps a voice file as a voice of your own."""
    with studio(context, as_json) as services:
        from modules.tools.voices import own_voices

        voice = own_voices.import_voice(services, file, name, language)
    _output_kept(voice, as_json)


@voices_app.command()
def export(
    context: typer.Context,
    voice: Annotated[str, typer.Argument(help="A voice or a mix.")],
    out: Annotated[Path, typer.Option(help="The file: .pt, .safetensors or .bin.")],
    as_json: Json = False,
) -> None:
    """Writes a voice or a mix to a file that other Kokoro programs read."""
    with studio(context, as_json) as services:
        from modules.tools.voices.own_voices import export_preset

        check_out(out)
        written = export_preset(services, voice, out)
    output(as_json, {"out": written}, f"Written: {written}")


@voices_app.command()
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A voice of your own.")],
    as_json: Json = False,
) -> None:
    """Moves a voice of your own to the trash."""
    with studio(context, as_json) as services:
        trashed = services.voices.delete(name)
    record = {"deleted": name, "trash": trashed}
    output(as_json, record, f"Deleted: {name}. Restore it with: app.py trash restore {trashed}")


def _output_kept(voice: OwnVoice, as_json: bool) -> None:
    words = f"Kept as {voice.name}. Speak with it: app.py speak --voice {voice.name} ..."
    output(as_json, {"voice": voice}, words)
