"""The executor that hands items to workers by Ray: on this machine, or on a cluster.

Ray itself is imported by none of this: it runs in a child process (`ray_driver`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.atomic import write_json
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.settings import app_folder
from modules.core_components.texts import _, language_variable
from modules.core_components.version import APP_VERSION
from modules.tools.services import Services, require_ray
from modules.tools.work.executor import (
    LOCAL,
    ItemProgress,
    Outcome,
    Tally,
    Work,
    ignore_item,
    own_folder,
)
from modules.tools.work.ray_worker import files_of
from modules.tools.work.under_way import Node, published_state

logger = logging.getLogger(__name__)

_DRIVER = "modules.tools.work.ray_driver"
_ANSWER_S, _STOP_S, _POLL_S = 5.0, 20.0, 0.2
_LOG_TAIL_CHARACTERS = 4000

_AUTH_MODE, _TOKEN, _TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"

Event = Mapping[str, Any]


@dataclass(frozen=True)
class RayState:
    """The version of Ray, and the machines that it runs on."""

    ray_version: str
    nodes: tuple[Node, ...]


def require_address(address: str) -> None:
    """Raises StudioError unless something answers at HOST:PORT; Ray would try for minutes."""
    host, _unused, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise StudioError(
            _("No Ray cluster answers at {address}.", address=address),
            _("Give host and port of its head; the usual port is 6379."),
            details=f"{error}. The head is started with `ray start --head`.",
        ) from error


class RayExecutor:
    """Hands items to workers that Ray starts, each with models of its own.

    `address` is "local", or HOST:PORT of a cluster that this machine is a part of. `workers` 0
    takes as many as fit: one for each GPU, else one for every four cores. A worker that is killed
    is replaced, and its item done again; an item whose result was written is not.
    """

    has_several_workers = True

    def __init__(self, services: Services, address: str = LOCAL, workers: int = 0) -> None:
        require_ray()
        self._services = services
        self._address = address
        self._workers = workers
        self.helps_a_single_item = address != LOCAL
        self.label = (
            _("workers on this machine")
            if address == LOCAL
            else _("the cluster at {address}", address=address)
        )

    def run(
        self,
        work: Work,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
        on_item: ItemProgress = ignore_item,
    ) -> Outcome:
        cancel = cancel or CancelToken()
        tally = Tally(work, progress, on_item)
        if not tally.pending:
            return tally.outcome()
        progress(0.0, _("Starting workers"))
        items = [work.items[number] for number in tally.pending]
        plan = {
            "opener": work.opener,
            "setup": dict(work.setup),
            "models": {model_id: files_of(self._services, model_id) for model_id in work.models},
            "items": [{"inputs": item.inputs, "result": str(item.result)} for item in items],
        }

        with published_state(self._services, work.title, self.label, tally) as state_file:

            def hear(event: Event) -> None:
                if event["event"] == "note":
                    logger.warning(event["text"])
                if "item" in event:
                    _take_in(tally, tally.pending[event["item"]], event)
                state_file.update(_nodes(event) if "nodes" in event else None)

            self._drive(plan, cancel, hear)
        return tally.outcome()

    def state(self, cancel: CancelToken | None = None) -> RayState:
        """Starts Ray here, or joins the cluster, to see what it has. Raises StudioError."""
        seen: list[RayState] = []

        def hear(event: Event) -> None:
            if event["event"] == "connected":
                seen.append(RayState(event["ray"], _nodes(event)))

        self._drive({"items": []}, cancel or CancelToken(), hear)
        return seen[0]

    def _drive(
        self, plan: Mapping[str, Any], cancel: CancelToken, hear: Callable[[Event], None]
    ) -> None:
        """Runs the child process to its end. Raises JobCancelled, and StudioError for its error."""
        if self._address != LOCAL:
            require_address(self._address)
        with _scratch(self._services) as (folder, ray_folder):
            whole = {**plan, **self._surroundings(), "ray_folder": str(ray_folder)}
            write_json(folder / "plan.json", whole)
            child = _Child(folder, self._address == LOCAL)
            try:
                for event in child.events(cancel):
                    if event["event"] == "error":
                        raise StudioError(event["message"], event["hint"], details=event["details"])
                    if event["event"] == "end":
                        break
                    hear(event)
                else:
                    cancel.raise_if_cancelled()
                    raise _ended_early(child.log)
            finally:
                child.close()
            cancel.raise_if_cancelled()

    def _surroundings(self) -> dict[str, Any]:
        settings = self._services.settings
        return {
            "address": self._address,
            "workers": self._workers,
            "threads": settings.torch_threads,
            "version": APP_VERSION,
            "root": str(settings.root),
            "cache": str(settings.cache_folder),
            # Which of its GPUs a worker has is Ray's business.
            "overrides": {
                **self._services.overrides,
                "models_folder": str(settings.models_folder),
                "device": "auto" if settings.device != "cpu" else "cpu",
                "listening_device": "",
                "preload_model": False,
            },
        }


def _take_in(tally: Tally, number: int, event: Event) -> None:
    """Notes what an event says of an item."""
    if event["event"] == "done":
        tally.finish(number)
    elif event["event"] == "failed":
        tally.fail(number, event["message"], event["hint"])
    else:
        tally.report(number, event["fraction"], event["message"])


def _nodes(event: Event) -> tuple[Node, ...]:
    return tuple(Node(**node) for node in event["nodes"])


class _Child:
    """The process of `ray_driver`, for the plan in a folder."""

    def __init__(self, folder: Path, is_local: bool) -> None:
        self.log = folder / "driver.log"
        path = filter(None, (str(app_folder()), os.environ.get("PYTHONPATH", "")))
        environment = {
            **os.environ,
            **language_variable(),
            "PYTHONPATH": os.pathsep.join(path),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        if is_local:
            # Only this process and its workers may talk to each other.
            environment |= {_AUTH_MODE: "token", _TOKEN: secrets.token_hex(32)}
        elif _has_token():
            # Ray looks for the token itself, but only in the process that starts the cluster.
            environment.setdefault(_AUTH_MODE, "token")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _DRIVER, str(folder / "plan.json")],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                # Ctrl-C in a terminal is for the studio, which then asks the child to stop.
                start_new_session=True,
            )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, name="ray-driver", daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put(None)

    def events(self, cancel: CancelToken) -> Iterator[Event]:
        """What the process says, until it ends; once cancelled it is asked to stop, then killed."""
        patience = int(_STOP_S / _POLL_S)
        while True:
            if cancel.cancelled:
                self._ask_to_stop()
                patience -= 1
                if patience < 0:
                    return
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=_POLL_S)
                if line is None:
                    return
                yield json.loads(line)

    def _ask_to_stop(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()

    def close(self) -> None:
        """Ends the process, at once if it does not end by itself."""
        self._ask_to_stop()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the processes of a local Ray end with it
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _has_token() -> bool:
    """Whether the token of a cluster is where Ray looks for it."""
    kept = Path(os.environ.get(_TOKEN_PATH) or Path.home() / ".ray" / "auth_token")
    return _TOKEN in os.environ or kept.is_file()


@contextlib.contextmanager
def _scratch(services: Services) -> Iterator[tuple[Path, Path]]:
    """A folder for the plan and the log, and one for Ray's own files; both are removed."""
    # Ray's sockets lie in its folder; their paths may have about a hundred characters.
    short = "/tmp" if os.name == "posix" else tempfile.gettempdir()  # noqa: S108 - made for us alone
    with (
        own_folder(services.settings.cache_folder / "work", "ray-") as folder,
        own_folder(Path(short), "studio-ray-") as ray_folder,
    ):
        yield folder, ray_folder


def _ended_early(log: Path) -> StudioError:
    tail = log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_CHARACTERS:]
    logger.info("The process that talks to Ray ended: %s", tail)
    return StudioError(
        _("The process that hands out the work ended."),
        _("Run the same command again: what is done is kept."),
        details=tail.strip().splitlines()[-1] if tail.strip() else "",
    )
