"""What loading a model would do to the memory of its device, said before it is done.

The plan and the eviction make the same choice (`MemoryLedger.choose_evictions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from modules.core_components.ai_models.model_pool.ledger import (
    Entry,
    MemoryLedger,
    ModelSpec,
    Place,
)
from modules.core_components.texts import _, ngettext
from modules.core_components.units import device_name, memory_text


class Way(str, Enum):
    """How a model would come in."""

    HERE = "here"  # it is there, or on its way
    ROOM = "room"  # after those in `leaving`, which may be none
    BUSY = "busy"  # once other work on the device has ended
    TOO_LARGE = "too large"


@dataclass(frozen=True)
class Eviction:
    """A model that would be evicted; `idle_s` is how long it has been idle."""

    name: str
    nbytes: int
    idle_s: float


@dataclass(frozen=True)
class LoadPlan:
    """What a lease of a model would do now.

    `nbytes` is what the model takes: as `measured` at an earlier load, else as planned. `budget`
    are the bytes for models on `device`; `returns`: it is copied back from CPU memory.
    """

    name: str
    device: str
    nbytes: int
    measured: bool
    budget: int
    way: Way
    leaving: tuple[Eviction, ...] = ()
    returns: bool = False

    @property
    def fits(self) -> bool:
        """Whether its device can ever hold it."""
        return self.nbytes <= self.budget

    def in_words(self) -> str:
        """A sentence or two for people."""
        size = self._there(self.nbytes)
        if self.way is Way.HERE:
            return _("{name} is in memory ({size}).", name=self.name, size=size)
        if self.way is Way.TOO_LARGE:
            return _(
                "{name} takes {size}, but models may only use {budget}.",
                name=self.name,
                size=memory_text(self.nbytes),
                budget=self._there(self.budget),
            )
        if self.returns:
            needs = _("Moving {name} back from main memory needs {size}", name=self.name, size=size)
        else:
            needs = _("Loading {name} needs {size}", name=self.name, size=size)
        if self.way is Way.BUSY:
            return _("{needs}; it begins once other work there has ended.", needs=needs)
        if not self.leaving:
            return _("{needs}, which is free.", needs=needs)
        leavers = [
            f"{one.name} ({memory_text(one.nbytes)}, {_ago(one.idle_s)})" for one in self.leaving
        ]
        return ngettext(
            "{needs}; {models} is unloaded first.",
            "{needs}; {models} are unloaded first.",
            len(leavers),
            needs=needs,
            models=_(" and ").join(leavers),
        )

    def _there(self, nbytes: int) -> str:
        """So much memory of the device, in words."""
        memory = memory_text(nbytes)
        if self.device == "cpu":
            return _("{memory} in main memory", memory=memory)
        return _("{memory} on {device}", memory=memory, device=device_name(self.device))


def plan_load(
    ledger: MemoryLedger, spec: ModelSpec[Any], measured: int | None, now_s: float
) -> LoadPlan:
    """The plan by the ledger as it is; nothing is changed. Needs the pool's lock held.

    `measured` is the size of the model if it was loaded before. Raises StudioError for a device
    that is not here.
    """
    entry = ledger.entries.get(spec.key)
    nbytes, budget = measured or spec.nbytes, ledger.budget(spec.device)
    leaving: Sequence[Entry] = ()
    if entry is not None and (entry.arriving or entry.place is Place.DEVICE):
        way = Way.HERE
    elif nbytes > budget:
        way = Way.TOO_LARGE
    else:
        leaving = ledger.choose_evictions(spec.device, nbytes)
        way = Way.ROOM if leaving or nbytes <= ledger.free_bytes(spec.device) else Way.BUSY
    return LoadPlan(
        name=spec.name,
        device=spec.device,
        nbytes=nbytes,
        measured=measured is not None,
        budget=budget,
        way=way,
        leaving=tuple(
            Eviction(other.spec.name, other.charges[spec.device], now_s - other.since_s)
            for other in leaving
        ),
        returns=entry is not None and entry.place is Place.HOST,
    )


def what_else_fits(spec: ModelSpec[Any]) -> str:
    """The hint for a model that its device can never hold. Not with the pool's lock held."""
    return _(
        "Choose {models}, raise the memory budget in Settings, or give the model another device.",
        models=_(" or ").join(spec.instead()) or _("a smaller model"),
    )


def _ago(seconds: float) -> str:
    if seconds < 60:
        return _("used just now")
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("last used {minutes} min ago", minutes=minutes)
    return _("last used {hours:.0f} h ago", hours=seconds / 3600)
