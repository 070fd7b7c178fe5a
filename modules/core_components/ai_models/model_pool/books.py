"""The pool's books: which models are where, and how much of each budget they take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from modules.core_components.ai_models.model_pool.records import (
    HOST,
    Entry,
    ModelSpec,
    Place,
    Request,
)
from modules.core_components.errors import StudioError

Budgets = Mapping[str, int] | Callable[[], Mapping[str, int]]
"""Bytes by account, or a function that finds them out at the first load: it may need torch."""


class MemoryBooks:
    """Entries by key with the bytes they are charged with, and the line of who waits for room.

    What is taken is always summed up from the entries, arriving and leaving ones included, so
    that it cannot drift from them. Nothing here is locked: the pool's lock guards it.
    """

    def __init__(self, budgets: Budgets) -> None:
        self.entries: dict[str, Entry] = {}
        self.line: dict[Request, ModelSpec[Any]] = {}
        self._budgets = budgets

    def set_budgets(self, budgets: Budgets) -> None:
        self._budgets = budgets

    def budget(self, account: str) -> int:
        """Raises StudioError for a device that this machine (or its settings) does not have."""
        if callable(self._budgets):
            self._budgets = self._budgets()
        if account in self._budgets:
            return self._budgets[account]
        if account == HOST:
            return 0
        raise StudioError(
            f"There is no memory set aside for models on {account}.",
            f"Choose a device in Settings that is here: {', '.join(sorted(self._budgets))}.",
        )

    def add(self, entry: Entry) -> None:
        self.entries[entry.spec.key] = entry

    def remove(self, entry: Entry) -> None:
        if self.entries.get(entry.spec.key) is entry:
            del self.entries[entry.spec.key]
        entry.place = Place.GONE
        entry.charges.clear()

    def on(self, account: str) -> list[Entry]:
        """The entries that take something of a budget."""
        return [entry for entry in self.snapshot() if account in entry.charges]

    def free_bytes(self, account: str) -> int:
        taken = sum(entry.charges[account] for entry in self.on(account))
        return self.budget(account) - taken

    def idle(self, account: str) -> list[Entry]:
        """What may leave an account, the longest unused first.

        Not a copy that somebody waits to have back: making room for it would throw it away.
        """
        wanted = {spec.key for spec in self.line.values()} if account == HOST else set()
        at_rest = [
            entry
            for entry in self.on(account)
            if entry.at_rest and entry.account == account and entry.spec.key not in wanted
        ]
        return sorted(at_rest, key=lambda entry: (entry.spec.keep, entry.since_s))

    def leaving_for(self, account: str, nbytes: int) -> tuple[Entry, ...]:
        """The entries to put out, in this order, so that `nbytes` fit.

        None when what is on its way out is enough, and when not even all that is idle would be:
        then nothing shall leave in vain.
        """
        leaving = sum(
            entry.charges[account]
            for entry in self.on(account)
            if entry.place is Place.LEAVING and entry.account == account
        )
        missing = nbytes - self.free_bytes(account) - leaving
        chosen: list[Entry] = []
        for entry in self.idle(account):
            if missing <= 0:
                break
            chosen.append(entry)
            missing -= entry.charges[account]
        return tuple(chosen) if missing <= 0 else ()

    def victim(self, account: str, nbytes: int) -> Entry | None:
        """The first of `leaving_for`; once it is gone, the first of the rest."""
        return next(iter(self.leaving_for(account, nbytes)), None)

    def pinned_bytes(self, account: str, threads: Collection[threading.Thread]) -> int:
        """What stays taken for as long as `threads` do not let go."""
        return sum(e.charges[account] for e in self.on(account) if e.held_by(threads))

    def holds_any(self, thread: threading.Thread) -> bool:
        """Whether a thread has a lease on any model."""
        return any(entry.held_by({thread}) for entry in self.snapshot())

    def snapshot(self) -> tuple[Entry, ...]:
        return tuple(self.entries.values())
