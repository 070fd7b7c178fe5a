"""`models plan|configure`: what fits into memory, and how single models are loaded."""

from __future__ import annotations

from typing import Annotated

import typer

from modules.cli.common import errors_reported, print_json

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Model = Annotated[str, typer.Argument(help="A model id; see 'models list'.")]


def plan(context: typer.Context, model: Model, as_json: Json = False) -> None:
    """What loading a model needs on its device, and what to take where that does not fit."""
    from modules.tools.models.load_plans import load_plan, smaller_sizes
    from modules.tools.services import open_services

    with errors_reported(as_json):
        services = open_services(context.obj)
        found = load_plan(services, model)
        smaller = smaller_sizes(services, model) if found and not found.fits else ()
    if as_json:
        words = found.in_words() if found else ""
        print_json({"plan": found, "in_words": words, "would_fit": smaller})
        return
    typer.echo(found.in_words() if found else f"{model} is not kept by the studio's memory.")
    if smaller:
        typer.echo(f"These would fit: {', '.join(smaller)}.")


def configure(
    context: typer.Context,
    model: Model,
    device: Annotated[str | None, typer.Option(help="Such as cuda:1 or cpu.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16.")] = None,
    attention: Annotated[
        str | None, typer.Option(help="auto, flash_attention_2, sdpa or eager.")
    ] = None,
    keep_loaded: Annotated[
        bool | None, typer.Option(help="Stays in memory however long nobody uses it.")
    ] = None,
    preload: Annotated[bool | None, typer.Option(help="Is loaded when the studio starts.")] = None,
    as_json: Json = False,
) -> None:
    """Chooses how one model is loaded; "" takes back what was chosen. Without options it tells."""
    from modules.tools.models.model_settings import configure_model
    from modules.tools.services import open_services

    given = {
        "device": device,
        "precision": precision,
        "attention_mechanism": attention,
        "keep_loaded": keep_loaded,
        "preload": preload,
    }
    with errors_reported(as_json):
        changes = {name: value for name, value in given.items() if value is not None}
        own = configure_model(open_services(context.obj), model, changes)
    if as_json:
        print_json({"model": model, "settings": own})
        return
    chosen = ", ".join(f"{name} = {value}" for name, value in own.chosen().items())
    typer.echo(f"{model}: {chosen or 'as for all models'}")
