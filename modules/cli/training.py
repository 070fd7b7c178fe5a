"""`train preflight|xtts|resume|status|stop|evaluate|publish`: fine-tuning.

With `--json` every event of the training is a line of JSON as it happens, as `progress.jsonl` has
it, and the last line is the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modules.cli.common import (
    EXIT_FAILED,
    Json,
    Parameters,
    output,
    parse_parameters,
    plain,
    print_json,
    studio,
    working_studio,
)
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.speaker_scale import speaker_scale

if TYPE_CHECKING:
    from modules.tools.services import Services

train_app = typer.Typer(help="Fine-tune a voice model on a dataset.")
Name = Annotated[str, typer.Argument(help="The name of a training; see 'train status'.")]
Dataset = Annotated[str, typer.Option(help="The dataset to train on; see 'dataset list'.")]
Run = Annotated[str, typer.Option(help="A name for the training; else the dataset's.")]
Base = Annotated[str, typer.Option(help="The XTTS model to begin with.")]
Processes = Annotated[
    int | None,
    typer.Option(min=0, help="Processes that train together; 0 is one for each GPU."),
]


@train_app.command()
def preflight(
    context: typer.Context,
    dataset: Dataset,
    run: Run = "",
    base: Base = "xtts-v2.0.3",
    processes: Processes = None,
    options: Parameters = None,
    as_json: Json = False,
) -> None:
    """Checks everything that a training needs. Exit code 1 if it would be refused."""
    with studio(context, as_json) as services:
        from modules.tools.training import preflight as tool

        request = tool.TrainingRequest(run or dataset, dataset, base, _options(options, processes))
        found = tool.preflight(services, request)
    record = {"checks": found.checks, "rejected": found.rows, "seconds": found.seconds}
    record |= {"kept_rows": found.kept_rows, "eval_rows": found.eval_rows}
    lines = [
        f"{check.level:4} {check.name}: {check.message} {check.hint}".rstrip()
        for check in found.checks
    ]
    lines += [f"     excluded: {row.clip_id}, {row.reason}" for row in found.rows]
    output(as_json, record, *lines)
    if found.stops:
        raise typer.Exit(EXIT_FAILED)


@train_app.command()
def xtts(
    context: typer.Context,
    dataset: Dataset,
    run: Run = "",
    base: Base = "xtts-v2.0.3",
    processes: Processes = None,
    options: Parameters = None,
    as_json: Json = False,
) -> None:
    """Fine-tunes XTTS on a dataset. Ctrl-C stops it and keeps its state."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.training.preflight import TrainingRequest
        from modules.tools.training.training import new_run

        request = TrainingRequest(run or dataset, dataset, base, _options(options, processes))
        _train(services, new_run(services, request).name, as_json, progress, cancel)


@train_app.command()
def resume(
    context: typer.Context,
    name: Name,
    epochs: Annotated[int, typer.Option(help="So many more epochs.", min=0)] = 0,
    processes: Processes = None,
    options: Parameters = None,
    as_json: Json = False,
) -> None:
    """Resumes a training that stopped or failed, or trains a finished one for longer."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.training.training import reopen_run

        run = reopen_run(services, name, epochs, _options(options, processes))
        _train(services, run.name, as_json, progress, cancel)


@train_app.command()
def status(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="One training; else all.")] = "",
    as_json: Json = False,
) -> None:
    """The state of trainings, in whatever process they run."""
    with studio(context, as_json) as services:
        from modules.tools.training.curves import read_curves

        for run_name in [name] if name else [run.name for run in services.training_runs.list()]:
            curves = read_curves(services, run_name)
            words = f"{run_name}: {curves.state}, step {curves.step} of {curves.steps_total}"
            if curves.eval_losses:
                words += f", evaluation loss {curves.eval_losses[-1]:.3f}"
            if curves.state == "running" and curves.eta_s is not None:
                words += f", about {curves.eta_s / 60:.0f} min left"
            output(as_json, {"run": run_name, **plain(curves)}, words)


@train_app.command()
def stop(
    context: typer.Context,
    name: Name,
    after_epoch: Annotated[
        bool, typer.Option("--after-epoch", help="At the end of the epoch.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stops a training, in whatever process it runs; its state is kept."""
    with studio(context, as_json) as services:
        from modules.tools.training.training import stop_after_epoch, stop_training

        run = (stop_after_epoch if after_epoch else stop_training)(services, name)
    output(as_json, {"run": run.name, "state": run.state}, f"{run.name} was asked to stop.")


@train_app.command()
def evaluate(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Speaks with every kept checkpoint and the base model, and scores them; can be resumed."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.training.evaluation import judge_run

        found = judge_run(services, name, progress, cancel)
    lines = [f"{'checkpoint':>10} {'words':>7} {'similarity':>10} {'length':>7} {'loss':>7}"]
    for row in found.rows:
        words, length = _figure(row.word_error_rate, 7), _figure(row.duration_ratio, 7)
        similarity, loss = _figure(row.similarity, 10), _figure(row.eval_loss, 7)
        lines.append(f"{row.checkpoint:>10} {words} {similarity} {length} {loss}")
    own = _figure(found.rows[0].similarity_self, 0)
    by = speaker_scale(found.speaker_encoder).label
    lines.append(f"The speaker's own recordings reach a likeness of {own} by {by}. {found.reason}")
    output(as_json, found, *lines)


@train_app.command()
def publish(
    context: typer.Context,
    name: Name,
    voice: Annotated[str, typer.Option("--name", help="The name of the voice.")],
    checkpoint: Annotated[
        str, typer.Option(help="The step; else the one that 'train evaluate' proposes.")
    ] = "",
    half: Annotated[
        bool,
        typer.Option("--half", help="In half precision: half as large; judged twice."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Makes a checkpoint a model of its own, which can be chosen at once."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.training import publish as tool

        step = checkpoint or tool.proposed_checkpoint(services, name)
        model = tool.publish(services, name, step, voice, progress, cancel, half)
        words = f"{model.label} is published as xtts-{model.name}. {tool.result_in_words(model)}"
    record = {"model": f"xtts-{model.name}", "folder": model.folder, "card": model.card}
    output(as_json, record, words)


def _options(given: list[str] | None, processes: int | None) -> dict[str, Any]:
    options = parse_parameters(given)
    return options if processes is None else {**options, "processes": processes}


def _train(
    services: Services, name: str, as_json: bool, progress: Progress, cancel: CancelToken
) -> None:
    from modules.tools.training.training import train

    listener = _print_events(services, name, progress) if as_json else progress
    try:
        result = train(services, {"run": name}, listener, cancel)
    finally:
        listener(1.0, "")  # prints the last events, also those of a failure
    output(as_json, result, f"{name}: {result['outcome']}")


def _print_events(services: Services, name: str, progress: Progress) -> Progress:
    """A progress listener that prints the new events of the training."""
    from modules.core_components.library.training_events import EventReader

    events = EventReader(services.training_runs.get(name).files.progress)
    events.new()

    def report(fraction: float, message: str) -> None:
        progress(fraction, message)
        for event in events.new():
            print_json(event)

    return report


def _figure(value: float | None, width: int) -> str:
    return f"{'–' if value is None else f'{value:.3f}':>{width}}"
