"""The terminal face: the same tools as the page, with exit codes and JSON."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from modules.cli.common import (
    audio_format_of,
    errors_reported,
    plain,
    print_json,
    progress_bar,
    read_text_file,
    start_logging,
)
from modules.cli.conversation import converse
from modules.cli.dataset import dataset_app
from modules.cli.models import bench, configure, models_app, plan, tuned_app
from modules.cli.pronunciations import pronunciations_app
from modules.cli.training import train_app
from modules.cli.trash import trash_app
from modules.cli.voices import voices_app
from modules.core_components.errors import BadInputError
from modules.core_components.settings import app_folder, load_settings

logger = logging.getLogger(__name__)

app = typer.Typer(
    help="Voice Clone Studio. Without a command it opens the studio in the browser.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models_app, name="models")
models_app.add_typer(tuned_app, name="tuned")
models_app.command()(plan)
models_app.command()(configure)
app.add_typer(voices_app, name="voices")
app.add_typer(pronunciations_app, name="pronunciations")
app.add_typer(train_app, name="train")
app.add_typer(dataset_app, name="dataset")
app.add_typer(trash_app, name="trash")
app.command()(converse)
app.command()(bench)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Text = Annotated[str, typer.Option(help="What to say; @FILE reads it from a file.")]
Out = Annotated[Path, typer.Option(help="The audio to write: .wav, .flac or .mp3.")]
Engine = Annotated[str, typer.Option(help="The model to speak with; see 'models list'.")]
Language = Annotated[str, typer.Option(help="Language code, such as en-us or it.")]
Seed = Annotated[int, typer.Option(help="-1 draws one; the take says which.")]
Speed = Annotated[float, typer.Option(help="1.0 is the voice's own rate.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter of the engine, such as temperature=0.8; repeatable."),
]
Scores = Annotated[bool, typer.Option(help="Measure similarity and word errors afterwards.")]


@app.callback(invoke_without_command=True)
def studio(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = -1,
    host: Annotated[str, typer.Option(help="Another address than this machine's own.")] = "",
    password: Annotated[
        str, typer.Option(help="Needed with --host.", envvar="STUDIO_PASSWORD")
    ] = "",
    api_key: Annotated[
        str,
        typer.Option(help="Needed by programs then; else --password.", envvar="STUDIO_API_KEY"),
    ] = "",
    no_browser: Annotated[bool, typer.Option("--no-browser")] = False,
    data_root: Annotated[
        Path | None, typer.Option(help="Keep samples, takes, models and settings there.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say more on the terminal.")] = False,
) -> None:
    """Opens the studio, or runs the command that follows."""
    context.obj = (data_root or app_folder()).resolve()
    with errors_reported(as_json=False):
        settings = load_settings(context.obj)
        start_logging(settings.cache_folder, verbose)
        if context.invoked_subcommand is None:
            from modules.ui.server import launch

            chosen_port = settings.port if port < 0 else port
            launch(context.obj, chosen_port, host, password, not no_browser, typer.echo, api_key)


@app.command()
def clone(
    context: typer.Context,
    sample: Annotated[Path, typer.Option(help="A recording of the voice.")],
    text: Text,
    out: Out,
    engine: Engine = "",
    language: Language = "",
    seed: Seed = -1,
    speed: Speed = 1.0,
    speaker: Annotated[str, typer.Option(help="Whose voice it is.")] = "",
    ref_text: Annotated[str, typer.Option(help="What the sample says.")] = "",
    parameters: Parameters = None,
    scores: Scores = True,
    as_json: Json = False,
) -> None:
    """Speaks a text in the voice of a recording.

    By running it you confirm that it is your voice, or that the speaker agreed to this use.
    """
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.core_components.values import Consent
        from modules.tools.services import open_services
        from modules.tools.speaking.request import SpeechRequest
        from modules.tools.speaking.speech import speak
        from modules.tools.voices.samples import add_sample

        services = open_services(context.obj)
        consent = Consent(speaker or sample.stem, True, "confirmed by running the clone command")
        kept, warnings = add_sample(services, sample, sample.stem, consent, ref_text)
        for warning in warnings:
            logger.warning(warning)
        request = SpeechRequest(
            text=_read_text(text),
            voice=kept.name,
            engine=engine,
            language=language,
            seed=seed,
            options=_engine_options(speed, parameters),
            score=scores,
            output_format=audio_format_of(out),
        )
        take = speak(services, request, progress, cancel)
        _deliver(services, take, out, as_json)


@app.command()
def speak(
    context: typer.Context,
    voice: Annotated[str, typer.Option(help="A voice (see 'voices list'), a mix, or a sample.")],
    text: Text,
    out: Out,
    engine: Engine = "",
    language: Language = "",
    seed: Seed = -1,
    speed: Speed = 1.0,
    parameters: Parameters = None,
    scores: Scores = False,
    as_json: Json = False,
) -> None:
    """Speaks a text with a stock voice or with a sample that is already in the library."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services
        from modules.tools.speaking.request import SpeechRequest
        from modules.tools.speaking.speech import speak as speak_tool

        services = open_services(context.obj)
        request = SpeechRequest(
            text=_read_text(text),
            voice=voice,
            kind="",
            engine=engine,
            language=language,
            seed=seed,
            options=_engine_options(speed, parameters),
            score=scores,
            output_format=audio_format_of(out),
        )
        take = speak_tool(services, request, progress, cancel)
        _deliver(services, take, out, as_json)


@app.command()
def design(
    context: typer.Context,
    describe: Annotated[str, typer.Option(help="What the voice is like: age, sex, timbre, mood.")],
    out: Out,
    text: Annotated[str, typer.Option(help="What it says; @FILE reads it from a file.")] = "",
    keep: Annotated[str, typer.Option(help="Keep the voice as a sample of this name.")] = "",
    engine: Annotated[str, typer.Option(help="A model that designs voices.")] = "",
    language: Language = "",
    seed: Seed = -1,
    parameters: Parameters = None,
    scores: Scores = False,
    as_json: Json = False,
) -> None:
    """Makes a voice from a description; another seed makes another voice."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services
        from modules.tools.voices.design import (
            SUGGESTED_TEXT,
            DesignRequest,
            design_voice,
            keep_voice,
        )

        services = open_services(context.obj)
        audio_format_of(out)
        request = DesignRequest(
            description=describe,
            text=_read_text(text) or SUGGESTED_TEXT,
            engine=engine,
            language=language,
            seed=seed,
            options=_engine_options(1.0, parameters),
            score=scores,
        )
        take = design_voice(services, request, progress, cancel)
        kept = keep_voice(services, take.id, keep) if keep else None
        _deliver(services, take, out, as_json)
    if kept is not None and not as_json:
        typer.echo(f"Kept as the sample {kept.name}.")


@app.command()
def transcribe(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Recordings, video too.")],
    model: Annotated[str, typer.Option(help="For example whisper-base.")] = "",
    language: Annotated[str, typer.Option(help="ISO 639-1; empty finds it.")] = "",
    hotwords: Annotated[str, typer.Option(help="Names and terms to expect.")] = "",
    fmt: Annotated[str, typer.Option("--format", help="txt, srt, vtt or json.")] = "txt",
    out: Annotated[Path | None, typer.Option(help="A folder; else standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Writes down what was said in recordings."""
    from modules.core_components.errors import StudioError
    from modules.core_components.text.subtitles import FORMATS, render
    from modules.tools.listening.transcribe import HOTWORDS, TranscribeRequest
    from modules.tools.listening.transcribe import transcribe as transcribe_tool
    from modules.tools.listening.transcripts import write_transcript
    from modules.tools.services import open_services

    failed: list[dict[str, str]] = []
    done: list[dict[str, Any]] = []
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        if fmt not in FORMATS:
            raise BadInputError(f"Unknown format {fmt!r}.", f"Choose {', '.join(FORMATS)}.")
        services = open_services(context.obj)
        for index, path in enumerate(files):
            try:
                options = {HOTWORDS: hotwords} if hotwords else {}
                request = TranscribeRequest(path, model, language, options=options)
                transcript = transcribe_tool(services, request, progress, cancel)
            except StudioError as error:
                if len(files) == 1:
                    raise
                failed.append({"file": str(path), "error": error.message, "hint": error.hint})
                continue
            for note in transcript.notes:
                logger.warning("%s: %s", path, note)
            target = _transcript_target(out, path, fmt, files[:index])
            if target is not None:
                write_transcript(transcript, fmt, target)
            elif not as_json:
                typer.echo(render(transcript, fmt))
            written = str(target) if target else None
            done.append({"file": str(path), "written": written, **plain(transcript)})
    if as_json:
        print_json({"transcripts": done, "failed": failed})
    for failure in failed:
        logger.error("%s: %s %s", failure["file"], failure["error"], failure["hint"])
    if failed:
        raise typer.Exit(1)


@app.command("export-voice")
def export_voice(
    context: typer.Context,
    sample: Annotated[str, typer.Option(help="The name of a sample in the library.")],
    out: Annotated[Path, typer.Option(help="The pack to write: .pt, .safetensors or .bin.")],
    as_json: Json = False,
) -> None:
    """Writes a sample's fitted voice as a Kokoro voice pack."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services
        from modules.tools.voices.samples import export_voice as export

        written = export(open_services(context.obj), sample, out, progress=progress, cancel=cancel)
        if as_json:
            print_json({"out": written})
        else:
            typer.echo(f"Written: {written}")


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Checks the environment and says what to do about what is wrong."""
    from modules.tools.doctor import examine

    with errors_reported(as_json):
        findings = examine(context.obj)
    if as_json:
        print_json({"ok": all(finding.ok for finding in findings), "checks": findings})
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else "PROBLEM"
            typer.echo(f"{mark} {finding.name}: {finding.found}")
            if not finding.ok:
                typer.echo(f"        -> {finding.remedy}")
    if not all(finding.ok or finding.optional for finding in findings):
        raise typer.Exit(1)


def run() -> int:
    """Runs the command line; returns the exit code."""
    try:
        outcome = app(standalone_mode=False)
    except typer.Exit as ended:
        return ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:
        show = getattr(error, "show", None)  # click's own usage errors print themselves
        if show is None:
            raise
        show()
        return 2
    return outcome if isinstance(outcome, int) else 0


def _read_text(text: str) -> str:
    if not text.startswith("@"):
        return text
    return read_text_file(Path(text[1:]))


def _engine_options(speed: float, parameters: list[str] | None) -> dict[str, Any]:
    """The engine's parameters as typed; 1.0 is every engine's own speed, and some have no other."""
    chosen: dict[str, Any] = {} if speed == 1.0 else {"speed": speed}
    for parameter in parameters or ():
        name, separator, value = parameter.partition("=")
        if not separator:
            raise BadInputError(f"{parameter!r} sets nothing.", "Write NAME=VALUE.")
        chosen[name.strip()] = {"true": True, "false": False}.get(value.strip().lower(), value)
    return chosen


def _transcript_target(out: Path | None, path: Path, fmt: str, earlier: list[Path]) -> Path | None:
    if out is None:
        return None
    out.mkdir(parents=True, exist_ok=True)
    # Two recordings of one name from different folders must not overwrite each other.
    twins = sum(other.stem == path.stem for other in earlier)
    return out / f"{path.stem}{f'-{twins + 1}' if twins else ''}.{fmt}"


def _deliver(services: Any, take: Any, out: Path, as_json: bool) -> None:
    from modules.tools.speaking.history import copy_take
    from modules.tools.speaking.scores import explain_similarity, explain_words

    written = copy_take(take, out)
    for note in take.notes:
        logger.warning(note)
    if as_json:
        print_json({**plain(take), "out": str(written)})
        return
    typer.echo(f"Written: {written} ({take.duration_s:.1f} s, seed {take.seed})")
    if take.scores.similarity is not None:
        typer.echo(f"Similarity: {explain_similarity(take.scores)}")
    if take.scores.word_error_rate is not None:
        typer.echo(f"Words: {explain_words(take.scores)}")
