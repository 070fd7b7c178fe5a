"""`pronunciations list|add|remove`: the pronunciation dictionary."""

from __future__ import annotations

from typing import Annotated

import typer

from modules.cli.common import Json, Language, output, studio

pronunciations_app = typer.Typer(help="How words are pronounced, by language.")


@pronunciations_app.command("list")
def list_entries(
    context: typer.Context,
    language: Annotated[str, typer.Option(help="Only this language.")] = "",
    as_json: Json = False,
) -> None:
    """Every entry of the dictionary."""
    with studio(context, as_json) as services:
        from modules.tools.speaking.pronunciations import list_pronunciations

        found = list_pronunciations(services, language)
    lines = [
        f"{code}  {word} = {sound}"
        for code, entries in found.items()
        for word, sound in entries.items()
    ]
    output(as_json, {"pronunciations": found}, *lines)


@pronunciations_app.command()
def add(
    context: typer.Context,
    word: Annotated[str, typer.Argument(help="The word as it is written.")],
    sound: Annotated[str, typer.Argument(help="/phonemes/, or words that sound right.")],
    language: Language,
    as_json: Json = False,
) -> None:
    """Adds a word, or changes its pronunciation."""
    with studio(context, as_json) as services:
        from modules.tools.speaking.pronunciations import add_pronunciation

        code = add_pronunciation(services, language, word, sound)
    output(as_json, {"language": code, "word": word, "sound": sound}, f"{word} = {sound}")


@pronunciations_app.command()
def remove(
    context: typer.Context,
    word: Annotated[str, typer.Argument(help="The word as the list shows it.")],
    language: Language,
    as_json: Json = False,
) -> None:
    """Removes a word."""
    with studio(context, as_json) as services:
        from modules.tools.speaking.pronunciations import remove_pronunciation

        remove_pronunciation(services, language, word)
    output(as_json, {"removed": word}, f"Removed: {word}")
