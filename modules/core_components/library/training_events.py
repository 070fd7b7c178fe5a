"""The event log of a training: `progress.jsonl`, one JSON object a line.

It is the truth about a run: the child process writes it, and every reader of how the run
stands reads it, now, after a reload of the page, or after a crash. Kinds of lines:

- "start": step, epochs, steps_per_epoch, steps_total, clips, resumed (true or false),
  processes
- "step": step, epoch, loss, learning_rate, gradient_norm, clips (of all processes), step_s,
  gpu_bytes
- "eval": step, epoch, loss
- "checkpoint": step, epoch, file (relative to the run's folder), write_s, and for weights that
  are kept eval_loss
- "back": step, epoch; what was done after that step counts no more
- "note": step, epoch, text, hint
- "saving": step, epoch; nothing is computed any more, only the state is still being written
- "end": outcome ("done", "stopped", "failed"), text, hint

All have `time` (Unix seconds). A kill may leave half a line at the end; it is passed over, and the
next line begins on a line of its own.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.core_components.atomic import full_disk_reported

START, STEP, EVAL, CHECKPOINT = "start", "step", "eval", "checkpoint"
BACK, NOTE, SAVING, END = "back", "note", "saving", "end"
DONE, STOPPED, FAILED = "done", "stopped", "failed"

Event = Mapping[str, Any]


class EventWriter:
    """Appends lines; each is on its way to the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with full_disk_reported(path), path.open("ab") as file:
            if file.tell() and not _ends_a_line(path):
                file.write(b"\n")

    def write(self, kind: str, **fields: Any) -> None:
        """Raises DiskFullError."""
        line = json.dumps({"kind": kind, "time": round(time.time(), 3), **fields})
        with full_disk_reported(self._path), self._path.open("ab") as file:
            file.write(line.encode("utf-8") + b"\n")


class EventReader:
    """Reads what was written since the last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> tuple[Event, ...]:
        """The whole lines that came since; () while there is no file."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return ()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return tuple(event for line in whole.splitlines() if (event := _parsed(line)) is not None)


def read_events(path: Path) -> tuple[Event, ...]:
    """Every event of a run, the oldest first."""
    return EventReader(path).new()


def last_event(path: Path) -> Event | None:
    """The last whole line; None without one. Reads only the file's end."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 65_536))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    return next((event for line in reversed(lines) if (event := _parsed(line)) is not None), None)


def _parsed(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("kind"), str) else None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
