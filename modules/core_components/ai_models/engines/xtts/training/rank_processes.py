"""Starts the processes of a training that run on one machine, and starts them again when one of
them is lost.

Each gets its rank as from torchrun, by RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE.
They meet through a file, so that no port has to be free, and talk over the loopback interface.
torchrun itself is not used: it starts all anew after any error, whatever it was, and gives a
process that waits for a lost one half a minute to end.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from modules.core_components.ai_models.engines.xtts.training.plan import TrainingSetup
from modules.core_components.ai_models.engines.xtts.training.trainee import StopRequests
from modules.core_components.library.training_events import (
    CHECKPOINT,
    END,
    FAILED,
    NOTE,
    STOPPED,
    EventReader,
    EventWriter,
    read_events,
)
from modules.core_components.library.training_runs import RunFiles
from modules.core_components.texts import _, mark

logger = logging.getLogger(__name__)

MOST_RESTARTS = 3
# The exit code of a rank after an error that is not in the events: often only that another is lost.
BROKE_OFF = 3
_LOOK_EVERY_S = 0.1
# A rank that lost another one ends by itself over gloo; over NCCL it may wait for good.
_END_WITHIN_S = 5.0
_SAVE_WITHIN_S = 300.0
# None are those that were still there and were ended.
_NOT_LOST = (None, 0, BROKE_OFF)
_MEMORY = mark("There may be too little memory: use fewer processes or smaller batches.")


class Processes(Protocol):
    """The ranks of one attempt."""

    def codes(self) -> Sequence[int | None]:
        """How each of them ended: its exit code, below 0 for a signal; None while it runs."""
        ...

    def ask_to_stop(self, reason: str) -> None: ...

    def kill(self) -> None: ...

    def close(self) -> None:
        """Removes what they left behind."""
        ...


class RankProcesses:
    """One process for each device of the setup, on this machine, which runs `module` (its name).

    Their standard input is a pipe that closes when this process ends; then they save their state
    and end. Their output goes where that of this process goes.
    """

    def __init__(self, module: str, files: RunFiles, setup: TrainingSetup) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="studio-ranks-"))
        world = len(setup.devices)
        rendezvous = (self._folder / "meet").as_uri()
        surroundings = {**os.environ, **_loopback()}
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", module, str(files.folder), rendezvous],
                cwd=files.folder,
                env={
                    **surroundings,
                    "RANK": str(number),
                    "WORLD_SIZE": str(world),
                    "LOCAL_RANK": str(number),
                    "LOCAL_WORLD_SIZE": str(world),
                    "OMP_NUM_THREADS": str(setup.for_process(number, world).threads),
                },
                stdin=subprocess.PIPE,
            )
            for number in range(world)
        ]

    def codes(self) -> Sequence[int | None]:
        return [process.poll() for process in self._processes]

    def ask_to_stop(self, reason: str) -> None:
        for process in self._processes:
            if process.stdin is not None and not process.stdin.closed:
                with contextlib.suppress(OSError):  # it has ended
                    process.stdin.write(reason.encode("utf-8"))
                    process.stdin.close()

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    def close(self) -> None:
        self.ask_to_stop("")
        shutil.rmtree(self._folder, ignore_errors=True)


def train_together(
    files: RunFiles,
    setup: TrainingSetup,
    requests: StopRequests,
    start: Callable[[RunFiles, TrainingSetup], Processes],
) -> int:
    """Trains with one rank for each device of the setup until they are done or stopped; returns
    the exit code. The ranks record how that ended, where they can.

    Where a process is lost, all are started again and go on from the last state, at most
    MOST_RESTARTS times.
    """
    events, seen = EventWriter(files.progress), EventReader(files.progress)
    seen.new()
    for restarts in range(MOST_RESTARTS + 1):
        processes = start(files, setup)
        try:
            codes = _wait(processes, requests)
        finally:
            processes.kill()
            processes.close()
        if codes[0] == 0:
            return 0
        if any(event["kind"] == END for event in seen.new()):
            return 1
        if requests.at_once:
            events.write(END, outcome=STOPPED, text=requests.reason, hint="")
            return 0
        lost = [(n, code) for n, code in enumerate(codes, start=1) if code not in _NOT_LOST]
        if not lost:
            text = _("The training broke off in several processes.")
            hint = _("The log shows where. Resume it: it continues from its last state.")
            break
        number, code = lost[0]
        about = {"number": number, "count": len(codes), "how": _how(code)}
        if restarts < MOST_RESTARTS:
            where = _last_state(files)
            logger.warning("Process %d of %d ended: %s", number, len(codes), code)
            text = _(
                "Process {number} of {count} ended unexpectedly ({how}): all start again from step "
                "{step}.",
                **about,
                step=where["step"],
            )
            events.write(NOTE, **where, text=text, hint=_(_MEMORY))
        else:
            text = _(
                "Process {number} of {count} ended unexpectedly ({how}), after {restarts} "
                "restarts.",
                **about,
                restarts=MOST_RESTARTS,
            )
            hint = _("{memory} Resumed, it continues from its last state.", memory=_(_MEMORY))
    events.write(END, outcome=FAILED, text=text, hint=hint)
    return 1


def _wait(processes: Processes, requests: StopRequests) -> Sequence[int | None]:
    """The exit codes once all have ended, or have had the time to after one of them failed."""
    give_up_at_s = math.inf
    while True:
        codes = processes.codes()
        if None not in codes or time.monotonic() > give_up_at_s:
            return codes
        if give_up_at_s == math.inf and any(codes):
            # After a failure that is recorded the first rank may still be writing its state.
            patience_s = _SAVE_WITHIN_S if {0, 1, None}.issuperset(codes) else _END_WITHIN_S
            give_up_at_s = time.monotonic() + patience_s
        if requests.at_once:
            processes.ask_to_stop(requests.reason)
        time.sleep(_LOOK_EVERY_S)


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return _("exit code {code}", code=code)


def _last_state(files: RunFiles) -> dict[str, int]:
    """Step and epoch of the state on the disk."""
    saved = [
        event
        for event in read_events(files.progress)
        if event["kind"] == CHECKPOINT and event["file"] == files.state.name
    ]
    return {name: saved[-1][name] if saved else 0 for name in ("step", "epoch")}


def _loopback() -> dict[str, str]:
    """Has gloo and NCCL talk over the loopback interface; by themselves they take what the name of
    the machine leads to, which may be a VPN."""
    import psutil

    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == "127.0.0.1" for address in addresses):
            return {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": name}
    return {}
