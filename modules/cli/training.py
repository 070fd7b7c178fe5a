"""`train xtts|resume|status|stop`: fine-tuning in the terminal, without a page.

With `--json` every event of the training is a line of JSON as it happens, as `progress.jsonl` has
it, and the last line is the result.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from modules.cli.common import EXIT_FAILED, errors_reported, plain, print_json, progress_bar
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress

train_app = typer.Typer(help="Fine-tune a voice model on a dataset.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Name = Annotated[str, typer.Argument(help="The name of a training; see 'train status'.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--set", help="An option, such as batch_size=2; may be given again."),
]


@train_app.command()
def xtts(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="The dataset to train on; see 'dataset list'.")],
    run: Annotated[str, typer.Option(help="A name for the training; else the dataset's.")] = "",
    base: Annotated[str, typer.Option(help="The XTTS model to begin with.")] = "xtts-v2.0.3",
    options: Options = None,
    as_json: Json = False,
) -> None:
    """Fine-tunes XTTS on a dataset. Ctrl-C stops it and keeps its state."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services
        from modules.tools.training.training import TrainingRequest, new_run

        services = open_services(context.obj)
        request = TrainingRequest(run or dataset, dataset, base, given_options(options))
        _train(services, new_run(services, request).name, as_json, progress, cancel)


@train_app.command()
def resume(
    context: typer.Context,
    name: Name,
    epochs: Annotated[int, typer.Option(help="So many more epochs.", min=0)] = 0,
    options: Options = None,
    as_json: Json = False,
) -> None:
    """Goes on with a training that stopped, failed or is done."""
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.services import open_services
        from modules.tools.training.training import reopen_run

        services = open_services(context.obj)
        run = reopen_run(services, name, epochs, given_options(options))
        _train(services, run.name, as_json, progress, cancel)


@train_app.command()
def status(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="One training; else all.")] = "",
    as_json: Json = False,
) -> None:
    """How trainings stand, in whatever process they run."""
    from modules.tools.services import open_services
    from modules.tools.training.curves import read_curves

    with errors_reported(as_json):
        services = open_services(context.obj)
        names = [name] if name else [run.name for run in services.training_runs.list()]
        for run_name in names:
            curves = read_curves(services, run_name)
            if as_json:
                _print_line({"run": run_name, **plain(curves)})
                continue
            loss = f", evaluation loss {curves.eval_losses[-1]:.3f}" if curves.eval_losses else ""
            left = "" if curves.eta_s is None else f", about {curves.eta_s / 60:.0f} min left"
            typer.echo(
                f"{run_name}: {curves.state}, step {curves.step} of {curves.steps_total}{loss}"
                + (left if curves.state == "running" else "")
            )


@train_app.command()
def stop(
    context: typer.Context,
    name: Name,
    after_epoch: Annotated[
        bool, typer.Option("--after-epoch", help="Not before the epoch is over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stops a training, in whatever process it runs; its state is kept."""
    from modules.tools.services import open_services
    from modules.tools.training.training import stop_after_epoch, stop_training

    with errors_reported(as_json):
        ask = stop_after_epoch if after_epoch else stop_training
        run = ask(open_services(context.obj), name)
        if as_json:
            _print_line({"run": run.name, "state": run.state})
        else:
            typer.echo(f"{run.name} was asked to stop.")


def _train(
    services: Any, name: str, as_json: bool, progress: Progress, cancel: CancelToken
) -> None:
    from modules.tools.training.training import train

    listener = _event_printer(services, name, progress) if as_json else progress
    try:
        result = train(services, {"run": name}, listener, cancel)
    finally:
        listener(1.0, "")  # prints what came last, also where it failed
    if as_json:
        _print_line(result)
    else:
        typer.echo(f"{name}: {result['outcome']}")


def _event_printer(services: Any, name: str, progress: Progress) -> Progress:
    """A progress listener that prints what is new in the training's diary."""
    from modules.core_components.library.training_events import EventReader

    diary = EventReader(services.training_runs.get(name).files.progress)
    diary.new()

    def report(fraction: float, message: str) -> None:
        progress(fraction, message)
        for event in diary.new():
            _print_line(event)

    return report


def given_options(given: list[str] | None) -> dict[str, str]:
    """`name=value` pairs; what they may be is checked with the plan."""
    pairs = [text.partition("=") for text in given or ()]
    for name, equals, _ in pairs:
        if not equals:
            raise BadInputError(f"--set {name} has no value.", "Write --set NAME=VALUE.")
    return {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs}


def _print_line(value: Any) -> None:
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


# `train preflight|evaluate|publish`: what comes before a training, and after it.


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
