"""`converse`: a script for several speakers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modules.cli.common import Json, audio_format_of, output, read_text_file, working_studio
from modules.core_components.errors import BadInputError, NotFoundError

if TYPE_CHECKING:
    from modules.tools.conversation.cast import CastVoice
    from modules.tools.services import Services


def converse(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(help="A text file with lines like “Anna: Hello.”")],
    out: Annotated[Path, typer.Option(help=".wav, .flac or .mp3; subtitles come with it.")],
    voice: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VOICE or NAME=MODEL:VOICE, once for each speaker."),
    ] = None,
    language: Annotated[str, typer.Option(help="Empty: each voice's own.")] = "",
    pause: Annotated[float, typer.Option(help="Seconds between lines of one speaker.")] = 0.3,
    turn: Annotated[float, typer.Option(help="Seconds before another speaker begins.")] = 0.5,
    seed: Annotated[int, typer.Option(help="-1 draws one.")] = -1,
    in_one_go: Annotated[
        bool,
        typer.Option(
            "--in-one-go",
            help="One model speaks for all speakers (VibeVoice); each voice is a sample.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Speaks a script, each speaker with their own voice, as one recording with subtitles.

    The lines that a stopped run has spoken are kept: the same command resumes it.
    """
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.core_components.library.conversations import Pauses
        from modules.tools.conversation import conversation as tool
        from modules.tools.conversation.joining import copy_conversation

        audio_format_of(out)
        request = tool.ConversationRequest(
            script=read_text_file(script),
            cast=dict(_voice(services, word, language) for word in voice or ()),
            title=script.stem,
            pauses=Pauses(pause, turn),
            seed=seed,
            in_one_go=in_one_go,
        )
        begun = tool.begin_conversation(services, request)
        made = tool.speak_conversation(services, begun.id, progress, cancel)
        written = copy_conversation(services, made.id, out)
    length_s = made.whole.duration_s if made.whole else 0.0
    unit = "parts" if made.in_one_go else "lines"
    output(
        as_json,
        {"conversation": made, "written": written},
        f"Written: {', '.join(map(str, written))}",
        f"{len(made.lines)} {unit}, {length_s:.1f} s, seed {made.seed}. Kept as {made.id}.",
    )


def _voice(services: Services, word: str, language: str) -> tuple[str, CastVoice]:
    """A speaker with a voice. A part before ":" is a model only if there is one of that name."""
    from modules.tools.conversation.cast import CastVoice
    from modules.tools.models.model_names import find_model

    speaker, equals, named = word.partition("=")
    if not (speaker.strip() and equals and named.strip()):
        raise BadInputError(f"{word!r} does not name a voice.", "Write it like Anna=af_heart.")
    model, _, rest = named.partition(":")
    if rest:
        try:
            model_id = find_model(services.tts, model)
            return speaker.strip(), CastVoice(rest, model_id, language=language)
        except NotFoundError:
            pass
    return speaker.strip(), CastVoice(named, language=language)
