"""The command line: the same tools as on the page, with exit codes and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modules.cli import speaking, transcription
from modules.cli.cleaning import clean
from modules.cli.cluster import cluster_app
from modules.cli.common import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    Json,
    errors_reported,
    output,
    report,
)
from modules.cli.conversation import converse
from modules.cli.dataset import dataset_app
from modules.cli.failures import (
    finish_output,
    log_uncaught_errors,
    start_logging,
    use_utf8,
)
from modules.cli.models import bench, models_app
from modules.cli.pronunciations import pronunciations_app
from modules.cli.reading import read
from modules.cli.remotes import remotes_app
from modules.cli.training import train_app
from modules.cli.trash import trash_app
from modules.cli.voices import voices_app
from modules.core_components.settings import app_folder, load_settings
from modules.core_components.texts import use_language

app = typer.Typer(
    help="Voice Clone Studio. Without a command it opens the studio in the browser.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def open_studio(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(help="0 takes a free one; else that of the settings.")
    ] = None,
    host: Annotated[str, typer.Option(help="Another address than this machine's own.")] = "",
    password: Annotated[
        str, typer.Option(help="Needed with --host.", envvar="STUDIO_PASSWORD")
    ] = "",
    api_key: Annotated[
        str,
        typer.Option(help="Needed by programs then; else --password.", envvar="STUDIO_API_KEY"),
    ] = "",
    drain: Annotated[
        float,
        typer.Option(
            help="On SIGTERM: seconds in which requests over the API may end.",
            envvar="STUDIO_DRAIN_SECONDS",
            min=0,
            max=3600,
        ),
    ] = 0,
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

            use_language(settings.page_language)
            chosen_port = settings.port if port is None else port
            show = not no_browser
            launch(context.obj, chosen_port, host, password, show, typer.echo, api_key, drain)


for _command in (speaking.clone, speaking.speak, speaking.design, transcription.transcribe):
    app.command()(_command)
app.command()(clean)
app.command()(converse)
app.command()(read)
app.command("export-voice")(speaking.export_voice)
app.add_typer(voices_app, name="voices")
app.add_typer(pronunciations_app, name="pronunciations")
app.add_typer(dataset_app, name="dataset")
app.add_typer(train_app, name="train")
app.add_typer(models_app, name="models")
app.command()(bench)
app.add_typer(trash_app, name="trash")
app.add_typer(cluster_app, name="cluster")
app.add_typer(remotes_app, name="remotes")


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Checks the environment and says what to do about each problem."""
    with errors_reported(as_json):
        from modules.tools.doctor import examine

        findings = examine(context.obj)
    lines = []
    for finding in findings:
        lines.append(f"{'ok     ' if finding.ok else 'PROBLEM'} {finding.name}: {finding.found}")
        if not finding.ok:
            lines.append(f"        -> {finding.remedy}")
    record = {"ok": all(finding.ok for finding in findings), "checks": findings}
    output(as_json, record, *lines)
    if not all(finding.ok or finding.optional for finding in findings):
        raise typer.Exit(1)


def run() -> int:
    """Runs the command line; returns the exit code."""
    use_utf8()
    log_uncaught_errors()
    return finish_output(_run())


def _run() -> int:
    try:
        outcome = app(standalone_mode=False)
    except typer.Exit as ended:
        return ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the last handler: every error is reported
        show = getattr(error, "show", None)  # click's own usage errors print themselves
        if show is None:
            report(error)
            return EXIT_FAILED
        show()
        return 2
    return outcome if isinstance(outcome, int) else 0
