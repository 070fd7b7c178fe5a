"""`cluster`: where heavy work runs, and a test of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from modules.cli.common import Cluster, Json, output, working_studio

if TYPE_CHECKING:
    from modules.tools.work.under_way import UnderWay

cluster_app = typer.Typer(
    help="Where heavy work runs: this process, workers on this machine, or a cluster.",
    no_args_is_help=True,
)


@cluster_app.command()
def status(context: typer.Context, cluster: Cluster = "", as_json: Json = False) -> None:
    """Says where heavy work runs, and with a cluster which machines it has."""
    with working_studio(context, as_json) as (services, _, cancel):
        from modules.tools.work.probe import describe_place

        place = describe_place(services, cluster, cancel)
    lines = [
        f"Heavy work runs on {place.where}.",
        f"Ray {place.ray or 'is not installed'}, Python {place.python}, "
        f"workers: {place.workers or 'as many as fit'}",
    ]
    for node in place.nodes:
        has = f"{node.cpus} cores, {node.gpus} GPUs" if node.here else "has left"
        lines.append(f"  {node.name} ({node.address}): {has}")
    output(as_json, place, *lines, *(_line(one) for one in place.under_way))


def _line(work: UnderWay) -> str:
    """Work that is under way, in one line."""
    speed = f", {work.a_second:.2g} a second" if work.a_second else ""
    left = f", about {work.left_s / 60:.1f} min left" if work.left_s is not None else ""
    failed = f", {work.failed} failed" if work.failed else ""
    busy = sum(node.busy for node in work.nodes)
    return (
        f"Under way: {work.title} by {work.where}, {work.done} of {work.items} done{failed}"
        f"{speed}{left}, {busy} tasks running"
    )


@cluster_app.command("test")
def probe_place(context: typer.Context, cluster: Cluster = "", as_json: Json = False) -> None:
    """Has a few small items done where heavy work runs, and says which machines did them."""
    with working_studio(context, as_json) as (services, progress, cancel):
        from modules.tools.work.places import choose_executor
        from modules.tools.work.probe import probe

        found = probe(services, choose_executor(services, cluster), progress, cancel)
    by_machine = ", ".join(f"{name}: {count}" for name, count in sorted(found.by_machine.items()))
    line = f"{found.items} test items done on {found.where} in {found.seconds} s ({by_machine})."
    output(as_json, found, line)
