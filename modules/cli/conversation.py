"""`converse`: a script for several speakers in the terminal."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modules.cli.common import (
    audio_format_of,
    errors_reported,
    print_json,
    progress_bar,
    read_text_file,
)
from modules.core_components.errors import BadInputError

if TYPE_CHECKING:
    from modules.tools.conversation.cast import CastVoice


def converse(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(help="A text file with lines like “Anna: Hello.”")],
    out: Annotated[Path, typer.Option(help=".wav, .flac or .mp3; subtitles lie beside it.")],
    voice: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VOICE or NAME=ENGINE:VOICE, once for each speaker."),
    ] = None,
    language: Annotated[str, typer.Option(help="Empty: each voice's own.")] = "",
    pause: Annotated[float, typer.Option(help="Seconds between lines of one speaker.")] = 0.3,
    turn: Annotated[float, typer.Option(help="Seconds before another speaker begins.")] = 0.5,
    seed: Annotated[int, typer.Option(help="-1 draws one.")] = -1,
    in_one_go: Annotated[
        bool,
        typer.Option(
            "--in-one-go",
            help="One engine has all talk to each other (VibeVoice); each voice is a sample's.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Speaks a script: each speaker with a voice of his own, as one recording with subtitles.

    What a run that was stopped has spoken is kept: the same command goes on there.
    """
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.core_components.library.conversations import Pauses
        from modules.tools.conversation.conversation import (
            ConversationRequest,
            begin_conversation,
            speak_conversation,
        )
        from modules.tools.conversation.joining import copy_conversation
        from modules.tools.services import open_services

        audio_format_of(out)
        services = open_services(context.obj)
        models = services.tts.engine_ids()
        request = ConversationRequest(
            script=read_text_file(script),
            cast=dict(_voice(word, language, models) for word in voice or ()),
            title=script.stem,
            pauses=Pauses(pause, turn),
            seed=seed,
            in_one_go=in_one_go,
        )
        begun = begin_conversation(services, request)
        made = speak_conversation(services, begun.id, progress, cancel)
        written = copy_conversation(services, made.id, out)
    if as_json:
        print_json({"conversation": made, "written": written})
        return
    length_s = made.whole.duration_s if made.whole else 0.0
    typer.echo(f"Written: {', '.join(map(str, written))}")
    what = "parts" if made.in_one_go else "lines"
    typer.echo(f"{len(made.lines)} {what}, {length_s:.1f} s, seed {made.seed}. Kept as {made.id}.")


def _voice(word: str, language: str, models: Collection[str]) -> tuple[str, CastVoice]:
    """A speaker and his voice. A part before ":" is an engine only if there is one of that name."""
    from modules.tools.conversation.cast import CastVoice

    speaker, mark, named = word.partition("=")
    if not (speaker.strip() and mark and named.strip()):
        raise BadInputError(f"{word!r} gives nobody a voice.", "Write it like Anna=af_heart.")
    engine, _, rest = named.partition(":")
    if rest and engine in models:
        return speaker.strip(), CastVoice(rest, engine, language=language)
    return speaker.strip(), CastVoice(named, language=language)
