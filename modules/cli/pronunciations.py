"""`pronunciations list|add|remove`: the dictionary in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from modules.cli.common import errors_reported, print_json

pronunciations_app = typer.Typer(help="How words are to be said, by language.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Language = Annotated[str, typer.Option(help="Language code, such as en-us or it.")]


@pronunciations_app.command("list")
def list_entries(
    context: typer.Context,
    language: Annotated[str, typer.Option(help="Only this language.")] = "",
    as_json: Json = False,
) -> None:
    """Every entry of the dictionary."""
    from modules.tools.services import open_services
    from modules.tools.speaking.pronunciations import list_pronunciations

    with errors_reported(as_json):
        found = list_pronunciations(open_services(context.obj), language)
    if as_json:
        print_json({"pronunciations": found})
        return
    for code, entries in found.items():
        for word, sound in entries.items():
            typer.echo(f"{code}  {word} = {sound}")


@pronunciations_app.command()
def add(
    context: typer.Context,
    word: Annotated[str, typer.Argument(help="The word as it is written.")],
    sound: Annotated[str, typer.Argument(help="/phonemes/, or words that sound right.")],
    language: Language,
    as_json: Json = False,
) -> None:
    """Adds a word, or changes how it is said."""
    from modules.tools.services import open_services
    from modules.tools.speaking.pronunciations import add_pronunciation

    with errors_reported(as_json):
        add_pronunciation(open_services(context.obj), language, word, sound)
    if as_json:
        print_json({"language": language, "word": word, "sound": sound})
    else:
        typer.echo(f"{word} = {sound}")


@pronunciations_app.command()
def remove(
    context: typer.Context,
    word: Annotated[str, typer.Argument(help="The word as the list shows it.")],
    language: Language,
    as_json: Json = False,
) -> None:
    """Removes a word."""
    from modules.tools.services import open_services
    from modules.tools.speaking.pronunciations import remove_pronunciation

    with errors_reported(as_json):
        remove_pronunciation(open_services(context.obj), language, word)
    if as_json:
        print_json({"removed": word})
    else:
        typer.echo(f"Removed: {word}")
