"""`bench`: how fast the models are on this machine."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from modules.cli.common import errors_reported, print_json, progress_bar


def bench(
    context: typer.Context,
    models: Annotated[
        list[str] | None, typer.Argument(help="Model ids; without any, all that are installed.")
    ] = None,
    sample: Annotated[
        str, typer.Option(help="The voice for models without one of their own.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measures how models speak a text and listen to it: load, first audio, speed, memory, words.

    "Of real time" is the computing of a second of audio in seconds: below 1 it is faster than one
    can listen. Memory is the most that the whole process held. The result is kept under output.
    """
    with errors_reported(as_json), progress_bar(as_json) as (progress, cancel):
        from modules.tools.models.benchmark import BenchmarkRequest, run_benchmark
        from modules.tools.models.benchmark_figures import HEADERS, cells
        from modules.tools.services import open_services

        services = open_services(context.obj)
        request = BenchmarkRequest(tuple(models or ()), sample)
        found = run_benchmark(services, request, progress, cancel)
    if as_json:
        print_json(found)
        return
    table = Table(*HEADERS, box=None)
    for figures in found.figures:
        table.add_row(*cells(figures))
    Console().print(table)
