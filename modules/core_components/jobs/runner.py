"""Running jobs, one after the other in each lane."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.jobs.context import JobContext
from modules.core_components.jobs.job import CANCELLED, DONE, FAILED, INTERRUPTED, Job
from modules.core_components.jobs.store import JobStore
from modules.core_components.texts import _

logger = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any], JobContext], Mapping[str, Any] | None]
LaneOf = Callable[[Mapping[str, Any]], str]

# How often another process's doings are looked for while waiting.
_LOOK_EVERY_S = 0.5

_SUBMITTING_PAGE: ContextVar[str] = ContextVar("submitting_page", default="")


@contextlib.contextmanager
def submitted_by(page: str) -> Iterator[None]:
    """Jobs that are queued in the block belong to the page with this id."""
    token = _SUBMITTING_PAGE.set(page)
    try:
        yield
    finally:
        _SUBMITTING_PAGE.reset(token)


class JobRunner:
    """Runs queued jobs in daemon threads, first come, first served.

    A lane is a queue of its own with so many workers: a download does not wait for a voice to be
    fitted. A lane may have lanes within it, by the payload ("training/cuda:1"), which begin with
    their first job and have as many workers each. A handler gets the payload and a JobContext and
    returns plain JSON. It may be called again with the same payload (resume), so it keeps its own
    checkpoints where that pays.
    """

    def __init__(
        self,
        store: JobStore,
        lanes: Mapping[str, int] | None = None,
        report_every_s: float = 0.25,
    ) -> None:
        self._store = store
        self._lanes = dict(lanes or {"compute": 1})
        self._report_every_s = report_every_s
        self._kinds: dict[str, tuple[Handler, str | LaneOf]] = {}
        self._changed = threading.Condition()
        self._running: dict[str, JobContext] = {}
        self._workers: list[threading.Thread] = []
        self._open: set[str] = set()
        self._closing = False
        self._stopped_by_closing: set[str] = set()

    WITHIN = "/"

    def register(self, kind: str, handler: Handler, lane: str | LaneOf = "compute") -> None:
        """Registers how jobs of a kind are run, and their lane, or what tells it by a payload."""
        if isinstance(lane, str) and lane not in self._lanes:
            raise ValueError(f"there is no lane {lane!r}, only {sorted(self._lanes)}")
        self._kinds[kind] = (handler, lane)

    def submit(self, kind: str, title: str, payload: Mapping[str, Any]) -> Job:
        """Queues a job; `payload` is plain JSON. Raises BadInputError, DiskFullError."""
        page, lane = _SUBMITTING_PAGE.get(), self._lane_of(kind, payload)
        return self._queued(self._store.create(kind, title, payload, lane, page), lane)

    def resume(self, job_id: str) -> Job:
        """Queues an interrupted, failed or cancelled job again, under the same id."""
        job = self._store.get(job_id)
        lane = self._lane_of(job.kind, job.payload)
        return self._queued(self._store.requeue(job_id, lane), lane)

    def cancel(self, job_id: str) -> Job:
        """A waiting job is cancelled at once; a running one when its handler has stopped."""
        job = self._store.request_cancel(job_id)
        with self._changed:
            if job_id in self._running:
                self._running[job_id].cancel.cancel()
            self._changed.notify_all()
        return job

    def dismiss(self, job_id: str) -> None:
        """Removes a job that does not wait or run from the list."""
        self._store.dismiss(job_id)

    def get(self, job_id: str) -> Job:
        """A job with its log. Raises NotFoundError."""
        return self._store.get(job_id)

    def list(
        self, states: Collection[str] | None = None, kind: str | None = None, limit: int = 100
    ) -> tuple[Job, ...]:
        """Jobs, the last one queued first, without their logs."""
        return self._store.list(states, kind, limit)

    def counts(self) -> dict[str, int]:
        """As `JobStore.counts`."""
        return self._store.counts()

    def ahead(self, job_id: str) -> int:
        """How many jobs of its lane run, or will run, before a waiting job; else 0."""
        return self._store.ahead(job_id)

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it neither waits nor runs, or as it stands after `timeout_s`."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while True:
                job = self._store.get(job_id)
                left_s = _LOOK_EVERY_S if deadline is None else deadline - time.monotonic()
                if not job.is_active or left_s <= 0:
                    return job
                self._changed.wait(min(left_s, _LOOK_EVERY_S))

    def shutdown(self, timeout_s: float = 30.0) -> None:
        """Stops everything; jobs that waited or ran become interrupted and can be resumed.

        One whose handler does not stop within `timeout_s` is found interrupted at the next start.
        """
        with self._changed:
            self._closing = True
            for job_id, context in self._running.items():
                if not context.cancel.cancelled:
                    self._stopped_by_closing.add(job_id)
                    context.cancel.cancel()
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        self._store.interrupt_queued()

    def _lane_of(self, kind: str, payload: Mapping[str, Any]) -> str:
        if kind not in self._kinds:
            raise BadInputError(
                _("This version of the studio cannot do this job."),
                _("It was queued by another version; dismiss it."),
                details=f"Its kind is {kind!r}.",
            )
        lane = self._kinds[kind][1]
        return lane if isinstance(lane, str) else lane(payload)

    def _queued(self, job: Job, lane: str) -> Job:
        with self._changed:
            if self._closing:
                self._store.interrupt_queued()
                raise StudioError(
                    _("The studio is closing."), _("Start it again, then resume the job.")
                )
            for one in (*self._lanes, lane):
                self._open_lane(one)
            self._changed.notify_all()
        return job

    def _open_lane(self, lane: str) -> None:
        """Starts the workers of a lane, unless they run."""
        if lane in self._open:
            return
        self._open.add(lane)
        for number in range(self._lanes[lane.partition(self.WITHIN)[0]]):
            worker = threading.Thread(
                target=self._work, args=(lane,), name=f"jobs-{lane}-{number}", daemon=True
            )
            self._workers.append(worker)
            worker.start()

    def _work(self, lane: str) -> None:
        while (claimed := self._next(lane)) is not None:
            self._run(*claimed)

    def _next(self, lane: str) -> tuple[Job, JobContext] | None:
        """The next job of the lane, as soon as there is one; None when the runner closes."""
        with self._changed:
            while not self._closing:
                try:
                    job = self._store.claim(lane)
                except (StudioError, sqlite3.Error):
                    logger.exception("The next job could not be fetched; trying again")
                    self._changed.wait(_LOOK_EVERY_S)
                    continue
                if job is not None:
                    context = self._running[job.id] = JobContext(self._store, job.id)
                    return job, context
                self._changed.wait()
        return None

    def _run(self, job: Job, context: JobContext) -> None:
        ended = threading.Event()
        reporter = threading.Thread(
            target=self._report, args=(context, ended), name=f"report-{job.id[:8]}", daemon=True
        )
        reporter.start()
        outcome = self._outcome(job, context)
        ended.set()
        reporter.join()
        context.close()
        with self._changed:
            del self._running[job.id]
            try:
                self._store.finish(job.id, **outcome)
            except (StudioError, sqlite3.Error):  # found interrupted at the next start
                logger.exception("The end of job %s could not be written", job.id)
            self._changed.notify_all()

    def _report(self, context: JobContext, ended: threading.Event) -> None:
        while not ended.wait(self._report_every_s):
            context.flush()

    def _outcome(self, job: Job, context: JobContext) -> dict[str, Any]:
        """How the work ended, as the arguments of JobStore.finish."""
        try:
            # What a job queues belongs to the same page.
            with submitted_by(job.page):
                result = self._kinds[job.kind][0](job.payload, context) or {}
            json.dumps(dict(result), allow_nan=False)
        except JobCancelled:
            return {"state": INTERRUPTED if job.id in self._stopped_by_closing else CANCELLED}
        except StudioError as error:
            logger.info("Job %s (%s) failed: %s %s", job.id, job.title, error, error.details)
            return {"state": FAILED, "error": error.message, "hint": error.hint}
        except BaseException:  # libraries even raise SystemExit; the worker lives on
            logger.exception("Job %s (%s) failed", job.id, job.title)
            return {
                "state": FAILED,
                "error": _("Something went wrong inside the studio."),
                "hint": _("Try again. If it happens again, please report it with the log."),
            }
        return {"state": DONE, "result": result}
