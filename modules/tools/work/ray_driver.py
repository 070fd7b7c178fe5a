"""The process that talks to Ray: `python -m modules.tools.work.ray_driver PLAN`.

It has a process of its own since Ray takes over the SIGTERM handler, starts threads that never end,
and ends the process that lost its cluster. It reads the plan (JSON), hands the items to workers,
and says what happens as JSON lines on standard output. It stops when its standard input closes:
the studio cancelled the work, or has ended.
"""

from __future__ import annotations

import collections
import json
import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.settings import app_folder
from modules.core_components.texts import _, language_variable, mark, use_language_of_studio
from modules.tools.work.executor import LOCAL
from modules.tools.work.ray_worker import CANCELLED, DONE, FAILED, RayWorker

logger = logging.getLogger(__name__)

# Ray's least is 75 MB; only paths and texts travel.
_OBJECT_STORE_BYTES = 100 * 2**20
_CPUS_OF_A_WORKER = 4
# More make an item hardly faster.
_MOST_THREADS = 8
# An item during which so many workers have ended, or so many that ended before they could begin.
MOST_LOST_WORKERS = 3
_PATIENCE_S = 60.0
_NO_WORKER_YET = mark(
    "No worker has begun yet: there may be no free cores or GPUs for one. Still waiting."
)
_WAIT_S, _ASK_EVERY_S, _STOP_S = 0.5, 1.0, 5.0
_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")
# What a worker's Python needs before it begins; the driver has it from `app.py`.
_PASSED_ON = ("VOICE_STUDIO_CATALOG", "OMP_WAIT_POLICY", "TOKENIZERS_PARALLELISM")


class Events:
    """The JSON lines on standard output. What libraries print goes to standard error instead."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def say(self, event: str, **about: Any) -> None:
        self._file.write(json.dumps({"event": event, **about}) + "\n")
        self._file.flush()


@dataclass
class _Hired:
    """A worker: its actor, the item that it is at, and the id of its machine once it is open."""

    actor: Any
    number: int | None = None
    is_open: bool = False
    node: str = ""


@dataclass
class _Dispatch:
    """Which items wait, and which worker is at which."""

    plan: Mapping[str, Any]
    events: Events
    cancel: CancelToken
    waiting: collections.deque[int] = field(default_factory=collections.deque)
    lost_with: collections.Counter[int] = field(default_factory=collections.Counter)
    lost_unopened: int = 0
    left: int = 0
    has_opened: bool = False
    refused: list[tuple[str, str]] = field(default_factory=list)
    calls: dict[Any, _Hired] = field(default_factory=dict)
    asked: dict[Any, _Hired] = field(default_factory=dict)
    idle: list[_Hired] = field(default_factory=list)
    reported: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """Until every item is done or has failed. Raises StudioError for what stops all."""
        import ray

        self.waiting.extend(range(len(self.plan["items"])))
        self.left = len(self.waiting)
        asked_at, patience_ends = 0.0, time.monotonic() + _PATIENCE_S
        try:
            while self.left and not self.cancel.cancelled:
                self._hire()
                if not self.has_opened and time.monotonic() > patience_ends:
                    patience_ends = float("inf")
                    self.events.say("note", text=_(_NO_WORKER_YET))
                if time.monotonic() - asked_at > _ASK_EVERY_S:
                    asked_at = time.monotonic()
                    self._ask_progress()
                    self._tell_state()
                waited_for = [*self.calls, *self.asked]
                if not waited_for:
                    self.cancel.wait(_WAIT_S)
                    continue
                ready, _unused = ray.wait(waited_for, timeout=_WAIT_S)
                for call in ready:
                    self._take_answer(call)
        finally:
            self._dismiss()

    def _hire(self) -> None:
        """Starts as many workers as are wanted and have something to do."""
        if not self.waiting:
            return
        hired = len(self.calls) + len(self.idle)
        wanted = min(self._wanted(), self.left) - len(self.refused)
        for _unused in range(hired, wanted):
            worker = _Hired(self._new_actor())
            self.calls[worker.actor.open.remote()] = worker

    def _wanted(self) -> int:
        import ray

        if self.plan["workers"]:
            return int(self.plan["workers"])
        return fitting_workers([node["Resources"] for node in ray.nodes() if node["Alive"]])

    def _new_actor(self) -> Any:
        import ray

        here = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        has_gpus = any(resources.get("GPU") for resources in here)
        cores = int(sum(resources.get("CPU", 0) for resources in here))
        fair = min(max(cores // max(self._wanted(), 1), 1), _MOST_THREADS)
        threads = self.plan["threads"] or fair
        plan = {name: value for name, value in self.plan.items() if name != "items"}
        plan["overrides"] = {**plan["overrides"], "torch_threads": threads}
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {
            **language_variable(),
            "PYTHONPATH": str(app_folder()),
            "OMP_NUM_THREADS": str(threads),
        }
        actor: Any = ray.remote(RayWorker)
        return actor.options(
            num_cpus=1,
            num_gpus=1 if has_gpus else 0,
            max_concurrency=2,  # one for the item, one that tells how far it is
            max_restarts=0,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": environment},
        ).remote(plan)

    def _take_answer(self, call: Any) -> None:
        import ray

        is_question = call in self.asked
        worker = (self.asked if is_question else self.calls).pop(call)
        try:
            answer = ray.get(call)
        except ray.exceptions.RayActorError:
            if not is_question:
                self._lose(worker)
            return
        if is_question:
            number, fraction, message = answer
            if number == worker.number:
                self.events.say("progress", item=number, fraction=fraction, message=message)
        elif worker.is_open:
            self._take_item(worker, answer)
        else:
            self._take_opened(worker, answer)

    def _take_opened(self, worker: _Hired, answer: tuple[str, str, str]) -> None:
        kind, words, hint = answer
        if kind != DONE:
            self.refused.append((words, hint))
            self.events.say("note", text=f"{words} {hint}")
            ray_kill(worker.actor)
            if not self.has_opened and not self.calls:
                raise StudioError(words, hint)
            return
        self.has_opened = worker.is_open = True
        self.lost_unopened = 0
        worker.node = node_of(worker.actor)
        self.events.say("opened", machine=words)
        self._give(worker)

    def _take_item(self, worker: _Hired, answer: tuple[str, str, str]) -> None:
        number, (kind, message, hint) = worker.number, answer
        worker.number = None
        if kind == DONE:
            self._finish("done", item=number)
        elif kind == FAILED:
            self._finish("failed", item=number, message=message, hint=hint)
        elif kind != CANCELLED:
            raise StudioError(message, hint)
        self._give(worker)

    def _finish(self, event: str, **about: Any) -> None:
        self.left -= 1
        self.events.say(event, **about)

    def _give(self, worker: _Hired) -> None:
        """Gives a worker the next item."""
        if not self.waiting:
            self.idle.append(worker)
            return
        number = self.waiting.popleft()
        item = self.plan["items"][number]
        worker.number = number
        self.calls[worker.actor.do.remote(number, item["inputs"], item["result"])] = worker

    def _lose(self, worker: _Hired) -> None:
        """The worker's process or machine has ended: its item is done again by another one."""
        ray_kill(worker.actor)
        number = worker.number
        if number is None:
            self.lost_unopened += 1
            is_alone = not any(other.is_open for other in (*self.calls.values(), *self.idle))
            if self.lost_unopened >= MOST_LOST_WORKERS and is_alone:
                raise StudioError(
                    _(
                        "{count} workers ended before they could begin.",
                        count=self.lost_unopened,
                    ),
                    _("There may be too little memory; use fewer workers. The log has more."),
                )
            return
        self.lost_with[number] += 1
        if Path(self.plan["items"][number]["result"]).is_file():
            self._finish("done", item=number)
        elif self.lost_with[number] >= MOST_LOST_WORKERS:
            self._finish(
                "failed",
                item=number,
                message=_("{count} workers ended while they were at it.", count=MOST_LOST_WORKERS),
                hint=_("It may need more memory than a worker has; use fewer workers."),
            )
        else:
            self.waiting.appendleft(number)
            self.events.say("note", text=_("A worker has ended; another one does its item again."))
            if self.idle:
                self._give(self.idle.pop())

    def _ask_progress(self) -> None:
        asked = {id(worker) for worker in self.asked.values()}
        for worker in tuple(self.calls.values()):
            if worker.number is not None and id(worker) not in asked:
                self.asked[worker.actor.progress.remote()] = worker

    def _tell_state(self) -> None:
        """Says which machines there are and how many workers are at an item, where that changed."""
        opened = [one for one in (*self.calls.values(), *self.idle) if one.is_open]
        workers = collections.Counter(one.node for one in opened)
        busy = collections.Counter(one.node for one in opened if one.number is not None)
        state = describe_nodes(workers, busy)
        if state != self.reported:
            self.reported = state
            self.events.say("state", nodes=state)

    def _dismiss(self) -> None:
        """Ends the workers; those that are at an item are asked to stop first."""
        import ray

        busy = [call for call, worker in self.calls.items() if worker.number is not None]
        for call in busy:
            self.calls[call].actor.cancel.remote()
        if busy:
            ray.wait(busy, num_returns=len(busy), timeout=_STOP_S)
        everyone = [*self.idle, *self.calls.values()]
        closing = [worker.actor.close.remote() for worker in everyone if worker.is_open]
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=_STOP_S)
        for worker in everyone:
            ray_kill(worker.actor)


def ray_kill(actor: Any) -> None:
    """Ends an actor's process; nothing if it has ended."""
    import ray

    ray.kill(actor)


def node_of(actor: Any) -> str:
    """The id of the machine that an actor runs on; "" if it has just ended."""
    import ray

    def own_node(worker: RayWorker) -> str:
        import ray

        return str(ray.get_runtime_context().get_node_id())

    try:
        return str(ray.get(actor.__ray_call__.remote(own_node), timeout=_STOP_S))
    except ray.exceptions.RayError:  # its next answer tells of it
        return ""


def fitting_workers(nodes: Sequence[Mapping[str, float]]) -> int:
    """One worker for each GPU of the machines with these resources; without any GPU one for every
    four cores of a machine, and at least one."""
    gpus = sum(int(resources.get("GPU", 0)) for resources in nodes)
    return gpus or sum(
        max(1, int(resources["CPU"]) // _CPUS_OF_A_WORKER)
        for resources in nodes
        if resources.get("CPU", 0) >= 1
    )


def connect(plan: Mapping[str, Any]) -> None:
    """Starts Ray on this machine, or joins the cluster. Raises StudioError."""
    import ray

    address = plan["address"]
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    try:
        if address == LOCAL:
            ray.init(
                address=LOCAL,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                num_cpus=max(plan["workers"], os.cpu_count() or 1),
                _temp_dir=plan["ray_folder"],
                **quiet,
            )
        else:
            ray.init(address=address, **quiet)
    except (RuntimeError, ConnectionError, ValueError, OSError) as error:
        logger.exception("No connection to %s", address)
        raise connection_error(address, str(error)) from error


def connection_error(address: str, said: str) -> StudioError:
    """What Ray's refusal means: versions that differ, or a machine that is no part of it."""
    found = _VERSIONS.findall(said)
    if "mismatch" in said and len(found) == 2:
        (ray_there, python_there), (ray_here, python_here) = found
        return StudioError(
            _(
                "The cluster has Ray {ray_there} and Python {python_there}, this studio "
                "has Ray {ray_here} and Python {python_here}.",
                ray_there=ray_there,
                python_there=python_there,
                ray_here=ray_here,
                python_here=python_here,
            ),
            _("Use the same versions of both on every machine."),
        )
    if address == LOCAL:
        return StudioError(_("Ray could not be started on this machine."), details=said)
    return StudioError(
        _("This machine could not join the work of the cluster at {address}.", address=address),
        _("It must be a machine of the cluster itself, and have the token of the cluster."),
        details=f"Run `ray start --address={address}` here first; docs/cluster.md says how. {said}",
    )


def describe_nodes(workers: Mapping[str, int], busy: Mapping[str, int]) -> list[dict[str, Any]]:
    """The machines of the cluster that were ever in it, those that are in it now first; one that
    left and came back is named once.

    `workers` are those of this work, `busy` those of them that are at an item, by the machine's id.
    """
    import ray

    known = ray.nodes()
    back = {node["NodeManagerAddress"] for node in known if node["Alive"]}
    nodes = [
        {
            "name": node["NodeManagerHostname"],
            "address": node["NodeManagerAddress"],
            "here": node["Alive"],
            "cpus": int(node["Resources"].get("CPU", 0)),
            "gpus": int(node["Resources"].get("GPU", 0)),
            "workers": workers.get(node["NodeID"], 0),
            "busy": busy.get(node["NodeID"], 0),
        }
        for node in known
        if node["Alive"] or node["NodeManagerAddress"] not in back
    ]
    return sorted(nodes, key=lambda node: not node["here"])


def drive(plan: Mapping[str, Any], events: Events, cancel: CancelToken) -> None:
    """Does what the plan says. Raises StudioError."""
    import ray

    connect(plan)
    try:
        events.say("connected", nodes=describe_nodes({}, {}), ray=ray.__version__)
        if plan["items"]:
            _Dispatch(plan, events, cancel).run()
    finally:
        ray.shutdown()
        # The studio removes it as well, unless it was killed.
        shutil.rmtree(plan["ray_folder"], ignore_errors=True)


def main(plan_path: Path) -> int:
    """Runs the plan; returns the exit code."""
    events = Events(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    use_language_of_studio()
    cancel = CancelToken()

    def watch_studio() -> None:
        while os.read(0, 1024):
            pass
        cancel.cancel()

    threading.Thread(target=watch_studio, daemon=True).start()
    plan = json.loads(plan_path.read_text(encoding="utf-8"))
    try:
        drive(plan, events, cancel)
    except StudioError as error:
        events.say("error", message=error.message, hint=error.hint, details=error.details)
        return 1
    events.say("end", cancelled=cancel.cancelled)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
