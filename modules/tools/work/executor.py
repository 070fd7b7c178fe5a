"""The contract of an executor, and the one that works in this process.

A tool describes heavy work as items; an executor has them done. The worker that does an item
writes its result, atomically: an item whose result is there is done, and is skipped when the same
work is submitted again. What travels is plain JSON: paths, ids and options, never audio.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modules.core_components.errors import (
    BadInputError,
    DiskFullError,
    JobCancelled,
    ModelMissingError,
    NotWritableError,
    StudioError,
)
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _, mark

if TYPE_CHECKING:
    from modules.tools.services import Services

logger = logging.getLogger(__name__)

# The address of workers of Ray on this machine alone.
LOCAL = "local"
# Every further item would end in the same way.
STOPS_ALL = (DiskFullError, NotWritableError, ModelMissingError)

Setup = Mapping[str, Any]
Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class WorkItem:
    """One thing to do: what people call it, what is needed for it (plain JSON), and its result.

    `result` is an absolute path. The worker writes that file last and whole.
    """

    name: str
    inputs: Inputs
    result: Path

    @property
    def is_done(self) -> bool:
        return self.result.is_file()


@dataclass(frozen=True)
class Work:
    """Items of one kind, with different results.

    `opener` names the function that makes a worker, as "package.module:function": it is called
    once in each worker, with the services and `setup` (plain JSON), and returns what does an item.
    `models` are the ids of the models that it needs: every machine must have the same files of
    those that are in the catalog. `title` says what is done, for people.
    """

    opener: str
    setup: Setup
    items: tuple[WorkItem, ...]
    models: tuple[str, ...] = ()
    title: str = mark("Heavy work")


class Worker(Protocol):
    """Does one item and writes its result. Raises StudioError, and JobCancelled once asked to."""

    def __call__(
        self, inputs: Inputs, result: Path, progress: Progress, cancel: CancelToken
    ) -> None: ...


@dataclass(frozen=True)
class Failure:
    """Why an item has no result."""

    item: WorkItem
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of the items, each in the order of the work: done now, done before, failed."""

    done: tuple[WorkItem, ...]
    skipped: tuple[WorkItem, ...]
    failures: tuple[Failure, ...]


# Gets how far an item is (0 to 1; 1.0 when it is done or has failed) and what is being done for it.
ItemProgress = Callable[[WorkItem, float, str], None]


def ignore_item(item: WorkItem, fraction: float, message: str) -> None:
    """For whom the progress of the whole is enough."""


class Executor(Protocol):
    """Has work done. `label` says where, in words for people."""

    label: str
    has_several_workers: bool
    # Whether an item that is alone may be done faster than in this process.
    helps_a_single_item: bool

    def run(
        self,
        work: Work,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
        on_item: ItemProgress = ignore_item,
    ) -> Outcome:
        """Does all items that are not done yet.

        An item that fails does not stop the others. Raises JobCancelled (finished items stay
        done), and StudioError for what makes all of the work impossible.
        """
        ...


class Tally:
    """How far the items are, and with them the whole."""

    def __init__(self, work: Work, progress: Progress, on_item: ItemProgress) -> None:
        results = {item.result for item in work.items}
        if len(results) < len(work.items):
            raise ValueError("two items have the same result")
        self._items = work.items
        self._progress = progress
        self._on_item = on_item
        done = [item.is_done for item in work.items]
        self.skipped = tuple(item for item, before in zip(work.items, done, strict=True) if before)
        self.pending = tuple(number for number, before in enumerate(done) if not before)
        self._sum = 0.0
        self._fractions = dict.fromkeys(self.pending, 0.0)
        self._done: set[int] = set()
        self._failures: dict[int, Failure] = {}

    def report(self, number: int, fraction: float, message: str) -> None:
        """Takes in how far an item is."""
        if number in self._done or number in self._failures:
            return
        self._tell(number, min(max(fraction, 0.0), 1.0), message)

    def finish(self, number: int) -> None:
        """Takes in that an item is done. A second time it changes nothing."""
        if number in self._done:
            return
        self._done.add(number)
        self._failures.pop(number, None)
        self._tell(number, 1.0, _("Done"))

    def fail(self, number: int, message: str, hint: str = "") -> None:
        """Takes in that an item has failed."""
        if number in self._done:
            return
        self._failures[number] = Failure(self._items[number], message, hint)
        self._tell(number, 1.0, message)

    @property
    def done(self) -> int:
        """How many items were done now."""
        return len(self._done)

    @property
    def failed(self) -> int:
        return len(self._failures)

    @property
    def fraction(self) -> float:
        """How far the items are that were not done before, 0 to 1."""
        return self._sum / max(len(self.pending), 1)

    def outcome(self) -> Outcome:
        return Outcome(
            tuple(self._items[number] for number in sorted(self._done)),
            self.skipped,
            tuple(self._failures[number] for number in sorted(self._failures)),
        )

    def _tell(self, number: int, fraction: float, message: str) -> None:
        item = self._items[number]
        self._sum += fraction - self._fractions[number]
        self._fractions[number] = fraction
        self._on_item(item, fraction, message)
        finished, total = self.done + self.failed, len(self.pending)
        self._progress(
            self.fraction,
            _(
                "{finished} of {total} done. {name}: {message}",
                finished=finished,
                total=total,
                name=item.name,
                message=message,
            ),
        )


class LocalExecutor:
    """Works in this process, one item after the other, with the models of this studio.

    A model uses all cores or the GPU for a single item, so that two at a time would gain nothing.
    """

    has_several_workers = False
    helps_a_single_item = False

    def __init__(self, services: Services) -> None:
        self._services = services
        self.label = _("this machine")

    def run(
        self,
        work: Work,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
        on_item: ItemProgress = ignore_item,
    ) -> Outcome:
        cancel = cancel or CancelToken()
        tally = Tally(work, progress, on_item)
        if tally.pending:
            worker = open_worker(self._services, work.opener, work.setup)
            for number in tally.pending:
                cancel.raise_if_cancelled()
                self._do(work.items[number], number, worker, tally, cancel)
        return tally.outcome()

    def _do(
        self, item: WorkItem, number: int, worker: Worker, tally: Tally, cancel: CancelToken
    ) -> None:
        def report(fraction: float, message: str) -> None:
            tally.report(number, fraction, message)

        try:
            worker(item.inputs, item.result, report, cancel)
        except (JobCancelled, *STOPS_ALL):
            raise
        except Exception as error:  # noqa: BLE001 - one item must not end the others
            tally.fail(number, *failure_words(error, item.name))
        else:
            tally.finish(number)


def open_worker(services: Services, opener: str, setup: Setup) -> Worker:
    """The worker that an opener makes. Raises what it raises, and BadInputError for an opener that
    is none of the studio's."""
    module, _unused, name = opener.partition(":")
    if not module.startswith("modules.tools."):
        raise BadInputError(_("This version of the studio cannot do this work."), details=opener)
    worker: Worker = getattr(importlib.import_module(module), name)(services, setup)
    return worker


def item_id(facts: str) -> str:
    """A name for a result, of 32 hexadecimal digits, that changes with what it is made of."""
    return hashlib.sha256(facts.encode("utf-8", errors="surrogatepass")).hexdigest()[:32]


def file_facts(path: Path) -> str:
    """What changes with a file and its place; of one that is not there its place alone."""
    try:
        found = path.stat()
    except OSError:  # the worker says what is wrong with it
        return f"{path.absolute()}\n"
    return f"{path.absolute()}\n{found.st_size} {found.st_mtime_ns}"


def make_own_folder(parent: Path, prefix: str) -> Path:
    """A new folder of this process in `parent`.

    Those with this prefix whose processes have ended (killed, they could not remove them) go.
    """
    import psutil

    parent.mkdir(parents=True, exist_ok=True)
    for path in parent.glob(f"{prefix}*-*"):
        owner = folder_owner(path, prefix)
        if owner is not None and not psutil.pid_exists(owner):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))


@contextmanager
def own_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder as `make_own_folder` makes it, for the length of the block."""
    folder = make_own_folder(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def folder_owner(folder: Path, prefix: str) -> int | None:
    """The id of the process that made a folder with `make_own_folder`; None for any other."""
    owner = folder.name.removeprefix(prefix).partition("-")[0]
    return int(owner) if owner.isdigit() else None


def failure_words(error: Exception, name: str) -> tuple[str, str]:
    """The message and the hint for an item that has failed; what is not foreseen is logged."""
    if isinstance(error, StudioError):
        return error.message, error.hint
    logger.error("%s failed", name, exc_info=error)
    return (
        _("Something went wrong inside the studio ({name}).", name=type(error).__name__),
        _("Try again. If it happens again, please report it with the log."),
    )
