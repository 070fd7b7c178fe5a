"""`train preflight|evaluate|publish`: what comes before a training, and after it."""

from __future__ import annotations

from typing import Annotated

import typer

from modules.cli.common import EXIT_FAILED, errors_reported, print_json, progress_bar
from modules.cli.training import Json, Name, Options, given_options, train_app


@train_app.command("preflight")
def look(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="The dataset to train on; see 'dataset list'.")],
    run: Annotated[str, typer.Option(help="A name for the training; else the dataset's.")] = "",
    base: Annotated[str, typer.Option(help="The XTTS model to begin with.")] = "xtts-v2.0.3",
    options: Options = None,
    as_json: Json = False,
) -> None:
    """Looks at everything that can go wrong in a training. Exit code 1 if it would be refused."""
    with errors_reported(as_json):
        from modules.tools.services import open_services
        from modules.tools.training.preflight import preflight
        from modules.tools.training.training import TrainingRequest

        request = TrainingRequest(run or dataset, dataset, base, given_options(options))
        found = preflight(open_services(context.obj), request)
        if as_json:
            told = {"checks": found.checks, "rejected": found.rows, "seconds": found.seconds}
            print_json({**told, "kept_rows": found.kept_rows, "eval_rows": found.eval_rows})
        else:
            for check in found.checks:
                hint = f" {check.hint}" if check.hint else ""
                typer.echo(f"{check.level:4} {check.name}: {check.message}{hint}")
            for row in found.rows:
                typer.echo(f"     left out: {row.clip_id}, {row.reason}")
        if found.stops:
            raise typer.Exit(EXIT_FAILED)


@train_app.command()
def evaluate(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Has every kept checkpoint and the base speak, and says how well; goes on where it stopped."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services
        from modules.tools.training.evaluation import judge_run

        found = judge_run(open_services(context.obj), name, progress, cancel)
        if as_json:
            print_json(found)
            return
        typer.echo(f"{'checkpoint':>10} {'words':>7} {'likeness':>9} {'length':>7} {'loss':>7}")
        for row in found.rows:
            figures = [
                _figure(row.word_error_rate, 7),
                _figure(row.similarity, 9),
                _figure(row.duration_ratio, 7),
                _figure(row.eval_loss, 7),
            ]
            typer.echo(f"{row.checkpoint:>10} {' '.join(figures)}")
        own = found.rows[0].similarity_self
        typer.echo(f"The speaker himself reaches a likeness of {_figure(own, 0)}. {found.reason}")


@train_app.command("publish")
def publish_checkpoint(
    context: typer.Context,
    name: Name,
    voice: Annotated[str, typer.Option("--name", help="What the voice is to be called.")],
    checkpoint: Annotated[
        str, typer.Option(help="The step; else the one that 'train evaluate' proposes.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Makes a checkpoint a model of its own, which stands among the engines at once."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services
        from modules.tools.training.publish import proposed_checkpoint, publish, sizes_in_words

        services = open_services(context.obj)
        step = checkpoint or proposed_checkpoint(services, name)
        model = publish(services, name, step, voice, progress, cancel)
        if as_json:
            print_json({"model": f"xtts-{model.name}", "folder": model.folder, "card": model.card})
        else:
            typer.echo(f"{model.label} is published as xtts-{model.name}. {sizes_in_words(model)}")


def _figure(value: float | None, width: int) -> str:
    return f"{'–' if value is None else f'{value:.3f}':>{width}}"
