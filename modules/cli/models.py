"""`models ...` and `bench`: the catalog, what is in memory, fine-tuned models, measurements."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from modules.cli.common import (
    AcceptLicence,
    Json,
    check_out,
    output,
    print_json,
    studio,
    working_studio,
)
from modules.core_components.errors import BadInputError
from modules.core_components.progress import scaled
from modules.core_components.units import size_text

models_app = typer.Typer(help="Models: list, download, check, configure, delete.")
tuned_app = typer.Typer(help="Fine-tuned models: import, export, restore.")
models_app.add_typer(tuned_app, name="tuned")
token_app = typer.Typer(help="The access token for gated files of the Hugging Face hub.")
models_app.add_typer(token_app, name="token")
Model = Annotated[str, typer.Argument(help="A model; see 'models list'.")]
Models = Annotated[list[str] | None, typer.Argument(help="Models; see 'models list'.")]


@models_app.command("list")
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """Every model of the catalog: whether it is installed, size, licence."""
    with studio(context, as_json) as services:
        from modules.tools.models import library

        rows = library.list_models(services)
    table = Table("model", "name", "state", "size", "licence", box=None)
    for row in rows:
        size = size_text(row.bytes_on_disk or row.entry.download_bytes)
        state = row.state if row.usable else f"{row.state} (no engine)"
        size = "" if row.state == "remote" else size
        table.add_row(row.entry.id, row.entry.label, state, size, row.entry.licence.name)
    output(as_json, {"models": rows}, table)


@models_app.command()
def recommend(
    context: typer.Context,
    sample: Annotated[str, typer.Option(help="The sample whose voice is to be taken.")] = "",
    as_json: Json = False,
) -> None:
    """The engines that can take a sample's voice on this machine, best first.

    Asks the hub whether it is there, unless the studio is offline; downloads nothing.
    """
    with working_studio(context, as_json) as (services, _, cancel):
        from modules.tools.models.recommendation import recommend

        found = recommend(services, sample, cancel)
    lines = []
    for number, one in enumerate(found, 1):
        lines.append(f"{number}. {one.label} ({one.model_id}): {' · '.join(one.facts)}")
        needed = [
            "its licence has to be accepted (--accept-licence)" if one.needs_acceptance else "",
            "an access token (models token set)" if one.needs_token else "",
        ]
        if any(needed) and not one.is_installed:
            lines.append(f"   Needed: {', '.join(filter(None, needed))}.")
        if one.problem:
            lines.append(f"   Not now: {one.problem} {one.hint}")
    record = {"sample": sample, "engines": found}
    output(as_json, record, *(lines or ["No engine that clones is known."]))


@models_app.command()
def status(context: typer.Context, models: Models = None, as_json: Json = False) -> None:
    """Whether models are complete and unharmed (reads every file)."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.models import library

        wanted = tuple(library.find_model_id(services, name) for name in models or ())
        rows = library.check(services, wanted, progress, cancel)
    lines = [
        f"{row.model_id}: {row.state}{f' - {row.problem}' if row.problem else ''}" for row in rows
    ]
    output(as_json, {"models": rows}, *lines)
    if any(row.problem for row in rows):
        raise typer.Exit(1)


@models_app.command()
def download(
    context: typer.Context,
    models: Models = None,
    starter: Annotated[bool, typer.Option("--starter", help="All starter models.")] = False,
    accept_licence: AcceptLicence = False,
    as_json: Json = False,
) -> None:
    """Downloads models; resumes what an earlier try began."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.models import library

        wanted = [library.find_model_id(services, name) for name in models or ()]
        wanted += library.starter_ids(services) if starter else ()
        if not wanted:
            raise BadInputError("No model was named.", "Name one, or use --starter.")
        folders = {}
        for index, model_id in enumerate(wanted):
            if accept_licence:
                library.accept_licence(services, model_id)
            part = scaled(progress, index / len(wanted), (index + 1) / len(wanted))
            folders[model_id] = library.download(services, model_id, part, cancel)
            if not as_json:
                typer.echo(f"Installed: {model_id} in {folders[model_id]}")
    if as_json:
        print_json({"folders": folders})


@models_app.command()
def delete(
    context: typer.Context,
    models: Annotated[list[str], typer.Argument(help="Models; see 'models list'.")],
    as_json: Json = False,
) -> None:
    """Deletes models from the disk."""
    with studio(context, as_json) as services:
        from modules.tools.models import library

        wanted = [library.find_model_id(services, name) for name in models]
        for model_id in wanted:
            library.delete(services, model_id)
    output(as_json, {"deleted": wanted}, f"Deleted: {', '.join(wanted)}")


@models_app.command()
def prompts(
    context: typer.Context,
    models: Models = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Delete them, all or those of the models named.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The voice prompts prepared from samples: how many and how large for each model."""
    with studio(context, as_json) as services:
        from modules.tools.voices.prompt_cache import clear_prepared_voices, prepared_voices

        freed = 0
        if clear:
            freed = sum(clear_prepared_voices(services, name) for name in models or (None,))
        rows = [row for row in prepared_voices(services) if not models or row.model_id in models]
    table = Table("model", "revision", "voices", "size", "", box=None)
    for row in rows:
        stale = "" if row.current else "no longer used"
        table.add_row(row.label, row.revision[:12], str(row.count), size_text(row.nbytes), stale)
    lines = [f"Freed: {size_text(freed)}"] if clear else []
    output(as_json, {"prepared": rows, "freed_bytes": freed}, *lines, table)


@models_app.command()
def plan(context: typer.Context, model: Model, as_json: Json = False) -> None:
    """The memory that loading a model needs, and what is unloaded for it."""
    with studio(context, as_json) as services:
        from modules.tools.models.library import find_model_id
        from modules.tools.models.memory import load_plan, smaller_sizes

        model_id = find_model_id(services, model)
        found = load_plan(services, model_id)
        smaller = smaller_sizes(services, model_id) if found and not found.fits else ()
    if found is None:
        output(as_json, {"plan": None, "would_fit": ()}, f"{model_id} does not use the model pool.")
        return
    table = Table("model", "device", "needs", "budget", "state", "unloads", box=None)
    leaving = ", ".join(f"{one.name} ({size_text(one.nbytes)})" for one in found.leaving)
    figures = (size_text(found.nbytes), size_text(found.budget), found.way.value)
    table.add_row(found.name, found.device, *figures, leaving)
    lines = [f"These would fit: {', '.join(smaller)}."] if smaller else []
    output(as_json, {"plan": found, "would_fit": smaller}, table, *lines)


@models_app.command()
def configure(
    context: typer.Context,
    model: Model,
    device: Annotated[str | None, typer.Option(help="Such as cuda:1 or cpu.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16.")] = None,
    attention: Annotated[
        str | None, typer.Option(help="auto, flash_attention_2, sdpa or eager.")
    ] = None,
    keep_loaded: Annotated[bool | None, typer.Option(help="Is never unloaded when idle.")] = None,
    preload: Annotated[bool | None, typer.Option(help="Is loaded when the studio starts.")] = None,
    as_json: Json = False,
) -> None:
    """Chooses how one model is loaded; "" resets a choice. Without options it shows them."""
    given = {
        "device": device,
        "precision": precision,
        "attention_mechanism": attention,
        "keep_loaded": keep_loaded,
        "preload": preload,
    }
    with studio(context, as_json) as services:
        from modules.tools.models.library import find_model_id
        from modules.tools.models.memory import configure_model

        changes = {name: value for name, value in given.items() if value is not None}
        model_id = find_model_id(services, model)
        own = configure_model(services, model_id, changes)
    chosen = ", ".join(f"{name} = {value}" for name, value in own.chosen().items())
    record = {"model": model_id, "settings": own}
    output(as_json, record, f"{model_id}: {chosen or 'as for all models'}")


@tuned_app.command("import")
def import_tuned(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="The zip of a fine-tuned XTTS.")],
    name: Annotated[str, typer.Option(help="Its name; empty takes the file's name.")] = "",
    accept_licence: AcceptLicence = False,
    as_json: Json = False,
) -> None:
    """Imports a fine-tuned model; it is in every list at once."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.models import library, tuned_models

        if accept_licence:
            library.accept_licence(services, tuned_models.BASE)
        model = tuned_models.import_tuned(services, archive, name, progress, cancel)
        model_id = tuned_models.model_id_of(model)
    record = {"model": model_id, "folder": model.folder, "card": model.card}
    output(as_json, record, f"Imported: {model_id} in {model.folder}")


@tuned_app.command("export")
def export_tuned(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The model, as in 'models list' or its folder.")],
    out: Annotated[Path | None, typer.Argument(help="The zip to write; NAME.zip if left out.")] = (
        None
    ),
    as_json: Json = False,
) -> None:
    """Packs a fine-tuned model as a zip file."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.models import tuned_models

        tuned = services.tts.tuned_model(name)
        chosen = tuned.name if tuned else name
        target = (out or Path(f"{chosen}{tuned_models.SUFFIX}")).resolve()
        check_out(target)
        file = tuned_models.export_tuned(services, chosen, target, progress, cancel)
    output(as_json, {"file": file}, f"Written: {file}")


@tuned_app.command("restore")
def restore_tuned(
    context: typer.Context,
    trash_id: Annotated[str, typer.Argument(help="Empty lists what is in the trash.")] = "",
    as_json: Json = False,
) -> None:
    """Restores a deleted fine-tuned model."""
    with studio(context, as_json) as services:
        library = services.tuned_models
        trashed = library.trash.ids()
        restored = library.restore(trash_id).name if trash_id else ""
    lines = [f"Restored: {restored}"] if restored else (trashed or ["The trash is empty."])
    output(as_json, {"restored": restored, "trash": trashed}, *lines)


def bench(
    context: typer.Context,
    models: Annotated[
        list[str] | None, typer.Argument(help="Models; without any, all that are installed.")
    ] = None,
    sample: Annotated[
        str, typer.Option(help="The voice for models without one of their own.")
    ] = "",
    cluster: Annotated[
        str, typer.Option(help="HOST:PORT of a Ray cluster, of which a worker is measured.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Measures how models speak and transcribe: load, first audio, speed, memory, word errors.

    The real-time factor is the computing time for a second of audio: below 1 is faster than
    playback. Memory is the peak of the whole process. The result is kept in the output folder,
    unless it is that of a cluster's machine.
    """
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.models import benchmark

        request = benchmark.BenchmarkRequest(tuple(models or ()), sample)
        if cluster:
            from modules.tools.models import cluster_benchmark
            from modules.tools.work.places import choose_executor

            cluster_benchmark.require_other_machine(cluster)
            executor = choose_executor(services, cluster)
            found = cluster_benchmark.benchmark_elsewhere(
                services, executor, request, progress, cancel
            )
        else:
            found = benchmark.run_benchmark(services, request, progress, cancel)
        table = Table(*benchmark.HEADERS, box=None)
        for figures in found.figures:
            table.add_row(*benchmark.cells(figures))
    output(as_json, found, table)


@token_app.command("set")
def set_token(context: typer.Context, as_json: Json = False) -> None:
    """Saves the token, which is asked for (not shown), or read from standard input."""
    with studio(context, as_json) as services:
        from modules.tools.models.library import access_token

        if sys.stdin.isatty():
            given = typer.prompt("Access token", hide_input=True, err=True)
        else:
            given = sys.stdin.readline()
        access_token(services).save(given)
    output(as_json, {"saved": True}, "The access token is saved.")


@token_app.command("remove")
def remove_token(context: typer.Context, as_json: Json = False) -> None:
    """Forgets the token."""
    with studio(context, as_json) as services:
        from modules.tools.models.library import access_token

        removed = access_token(services).remove()
    words = "The access token is removed." if removed else "No access token was saved."
    output(as_json, {"removed": removed}, words)


@token_app.command("status")
def token_status(context: typer.Context, as_json: Json = False) -> None:
    """Whether a token is saved; it is never shown."""
    with studio(context, as_json) as services:
        from modules.tools.models.library import access_token

        saved = access_token(services).saved
    words = "An access token is saved." if saved else "No access token is saved."
    output(as_json, {"saved": saved}, words)
