"""What preflight has to say: checks in words, and the rows that training would not use."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, STOP = "ok", "warn", "stop"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `level` is "ok", "warn" or "stop"; `hint` says what to do."""

    name: str
    level: str
    message: str
    hint: str = ""


@dataclass(frozen=True)
class RejectedRow:
    """A row that the trainer would pass over without a word, and why."""

    clip_id: str
    text: str
    reason: str
