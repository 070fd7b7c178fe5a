"""Following a job: its progress, the time that is left, and a button that cancels it.

The page polls every second while a job is active. It keeps no state of a job: after a reload,
`find` returns the same job again, running, just done or interrupted. A page follows its own jobs
(see `modules.ui.pages`); those of others only count as ahead of a job that waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.jobs.job import (
    ACTIVE,
    CANCELLED,
    DONE,
    FAILED,
    INTERRUPTED,
    QUEUED,
    RESUMABLE,
    RUNNING,
)
from modules.core_components.texts import _
from modules.tools.services import Services
from modules.ui.events import listen
from modules.ui.pages import is_left_behind, is_own
from modules.ui.render import duration_text, render
from modules.ui.views import Studio
from modules.ui.widgets.parts import button_panel, panel

# More often costs a slow browser a third of a core that the work itself could use.
POLL_S = 1.0
# A job that ended this long ago is still worth showing when the page is opened.
RECENT_S = 15 * 60
# The ids of the buttons.
CANCEL, RESUME, DISMISS = "cancel", "resume", "dismiss"


class JobsView:
    """A panel that follows the jobs of some kinds, one at a time, in their order.

    `job_id` is the job shown: write a new job's id there and the panel follows it. `finished`
    changes to the id of each followed job once it is done; listen to it to show the result. With
    `failures_first` an opened page shows what failed lately before what was done since. Jobs of
    the `shared` kinds are work on what all pages have, and followed by each. With `moves_on`
    False only the job in `job_id` is shown, and no other takes its place when it has ended.
    """

    def __init__(
        self,
        services: Services,
        kinds: Sequence[str],
        failures_first: bool = False,
        shared: Sequence[str] = (),
        moves_on: bool = True,
    ) -> None:
        self._services = services
        self._moves_on = moves_on
        self._kinds = tuple(kinds)
        self._shared = tuple(shared)
        self._failures_first = failures_first
        self.job_id = gr.State("")
        self.finished = gr.State("")
        self._panel = panel(visible=False)
        # Not in the panel, which is drawn anew every second: a button would lose the focus.
        self._buttons = button_panel(visible=False)
        self._timer = gr.Timer(POLL_S, active=False)
        # What the last poll saw; it changes when more than the panel has to be updated.
        self._seen = gr.Textbox(value="", elem_classes="studio-hidden")
        self._listen()

    def _listen(self) -> None:
        shown = [self.job_id, self.finished, self._panel, self._buttons, self._timer]
        asked = [self.job_id]
        # In the queue, since Gradio reports the change of a state only to queued events.
        listen(self.job_id.change, self._show, asked, shown)
        # Outside the queue: an answer through the queue costs the browser twice as much.
        listen(self._timer.tick, self._poll, asked, [self._panel, self._seen], queue=False)
        listen(self._seen.change, self._show, asked, shown)
        listen(self._buttons.select, self._press, asked, shown)

    def on_finished(
        self,
        work: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sequence: str | None = None,
    ) -> Any:
        """Calls `work(job, *inputs)` when a followed job is done; returns what `listen` does.

        A job can end at any moment, and an opened page finds one that ended before: where the
        user's choices change the same outputs, give the `sequence` of those listeners.
        """
        shown, asked = self._with_job(work), [self.finished, *inputs]
        return listen(self.finished.change, shown, asked, outputs, sequence=sequence)

    def on_progress(
        self, work: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]
    ) -> None:
        """Calls `work(job, *inputs)` about every second while a followed job goes on."""
        listen(self._timer.tick, self._with_job(work), [self.job_id, *inputs], outputs)

    def _with_job(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def with_job(job_id: str, *values: Any) -> Any:
            job = self._job(job_id)
            try:
                # Gradio also reports a state's very first value, which is empty, as a change.
                return gr.skip() if job is None else work(job, *values)
            except NotFoundError:  # what it made or works on was deleted since
                return gr.skip()

        return with_job

    def find_on_open(self, studio: Studio) -> None:
        """Follows the job of `find` whenever the page is opened."""
        studio.opening.find_job(self.find, self.job_id)

    def find(self) -> str:
        """The job to show on a freshly opened page; empty when there is none.

        What is not finished comes first: the page's own, then that of a page which was closed. Then
        what was done lately, in the same order; what all pages share, like the demo sample, last.
        """
        return (
            self._unfinished(self._is_followed)
            or self._unfinished(is_left_behind)
            or self._ended(lambda job: is_own(job) and job.kind not in self._shared)
            or self._ended(lambda job: is_left_behind(job) and job.kind not in self._shared)
            or self._ended(self._is_followed)
        )

    def _ended(self, belongs: Callable[[Job], bool]) -> str:
        ended = [job for job in self._jobs((DONE, FAILED), belongs) if _age_s(job) < RECENT_S]
        return max(ended, key=self._weight).id if ended else ""

    def _weight(self, job: Job) -> tuple[bool, float]:
        return self._failures_first and job.state == FAILED, _ended(job)

    def _unfinished(self, belongs: Callable[[Job], bool]) -> str:
        """What runs or waits; else what was interrupted and could be resumed."""
        active, interrupted = self._jobs(ACTIVE, belongs), self._jobs((INTERRUPTED,), belongs)
        job = _next_of(active) or _next_of(interrupted)
        return job.id if job else ""

    def _job(self, job_id: str) -> Job | None:
        """The job; None for "" and for one that was dismissed on another page."""
        try:
            return self._services.jobs.get(job_id) if job_id else None
        except NotFoundError:
            return None

    def _jobs(self, states: Sequence[str], belongs: Callable[[Job], bool]) -> list[Job]:
        jobs = self._services.jobs.list(states)
        return [job for job in jobs if job.kind in self._kinds and belongs(job)]

    def _is_followed(self, job: Job) -> bool:
        return job.kind in self._shared or is_own(job)

    def _press(self, job_id: str, pressed: gr.EventData) -> tuple[Any, ...]:
        following = act_on_job(self._services, job_id, pressed.id)
        if not following and self._moves_on:
            following = self._unfinished(self._is_followed)
        return self._show(following)

    def _poll(self, job_id: str) -> tuple[Any, str]:
        """The panel while the job runs, and a text that changes with the job's state."""
        job = self._job(job_id)
        if job is None:
            return gr.skip(), f"{job_id} gone"
        ahead = self._services.jobs.ahead(job_id)
        # With its end: one that is tried again may fail again before the next poll.
        seen = f"{job_id} {job.state} {job.cancel_requested} {ahead} {job.finished}"
        if job.state != RUNNING or job.cancel_requested:
            return gr.skip(), seen
        return gr.update(value=self._panel_html(job, self._waiting(job))), seen

    def _show(self, job_id: str) -> tuple[Any, ...]:
        """The job's state on every part of the panel; moves on to the next one in the queue."""
        job = self._job(job_id)
        finished = job.id if job and job.state == DONE else gr.skip()
        active_jobs = self._followed()
        # A failure is shown until it is dismissed; any other ended job makes room for the next.
        if job is None or job.state in (QUEUED, DONE, CANCELLED):
            job = _next_of(active_jobs) or job
        waiting = self._waiting(job) if job else 0
        active = job is not None and job.is_active
        resumable = job is not None and job.state in RESUMABLE
        return (
            job.id if job else "",
            finished,
            gr.update(
                value=self._panel_html(job, waiting) if job else "", visible=active or resumable
            ),
            gr.update(value=job_buttons_html(job), visible=active or resumable),
            gr.Timer(active=active),
        )

    def _waiting(self, shown: Job) -> int:
        """How many more jobs of this page run or wait."""
        return sum(job.id != shown.id for job in self._followed())

    def _followed(self) -> list[Job]:
        return self._jobs(ACTIVE, self._is_followed) if self._moves_on else []

    def _panel_html(self, job: Job, waiting: int) -> Markup:
        return job_html(job, self._services.jobs.ahead(job.id), waiting)


def job_html(job: Job, ahead: int = 0, waiting: int = 0) -> Markup:
    """A job with its progress; `ahead` jobs, of any page or program, come before it."""
    fraction: float | None = job.fraction
    kind = hint = ""
    if job.cancel_requested and job.is_active:
        message = _("Cancelling…")
    elif job.state == RUNNING:
        more = _(" · {waiting} more in the queue", waiting=waiting) if waiting else ""
        message = progress_text(job) + more
    elif job.state == QUEUED:
        fraction = 0.0
        message = (
            _("Waiting: {ahead} ahead of you.", ahead=ahead)
            if ahead
            else _("Waiting: next in the queue.")
        )
    elif job.state == INTERRUPTED:
        kind = "warn"
        message = _("The studio was closed while this ran. Resume it: what was finished is kept.")
    elif job.state == FAILED:
        fraction, kind = None, "bad"
        message, hint = job.error or _("It failed."), job.hint
    else:
        fraction, message = None, _("Done.") if job.state == DONE else _("Cancelled.")
    return render("job", title=job.title, kind=kind, fraction=fraction, message=message, hint=hint)


def job_buttons_html(job: Job | None, dismiss: str = "") -> Markup:
    """What can be done with a job now, for `act_on_job`: cancel it, or resume or dismiss it.

    `dismiss` is the label of the last one, if it is not "Dismiss".
    """
    labels: dict[str, str] = {}
    if job is not None and job.is_active:
        labels[CANCEL] = _("Cancel")
    elif job is not None:
        if job.state in RESUMABLE:
            labels[RESUME] = _("Resume") if job.state == INTERRUPTED else _("Try again")
        labels[DISMISS] = dismiss or _("Dismiss")
    disabled = [CANCEL] if job is not None and job.cancel_requested else []
    return render("buttons", labels=labels, stops=[CANCEL], disabled=disabled)


def act_on_job(services: Services, job_id: str, button: str) -> str:
    """Does what a button of `job_buttons_html` says; returns the job to follow from now on."""
    if button == CANCEL:
        services.jobs.cancel(job_id)
    elif button == RESUME:
        return services.jobs.resume(job_id).id
    elif button == DISMISS:
        services.jobs.dismiss(job_id)
        return ""
    return job_id


def progress_text(job: Job) -> str:
    """What a running job does, how far it is, and what is left of it."""
    # While it runs it is not done, whatever its last step says.
    doing = _("Finishing") if job.fraction >= 1 else job.message or _("Working")
    percent = f" · {job.fraction:.0%}" if job.fraction else ""
    left = (
        _(" · about {duration} left for this part", duration=duration_text(job.eta_s))
        if job.eta_s and job.eta_s >= 1
        else ""
    )
    return doing + percent + left


def _next_of(jobs: Sequence[Job]) -> Job | None:
    # What runs comes first, then what waits longest.
    return min(jobs, key=lambda job: (job.state != RUNNING, job.created), default=None)


def _ended(job: Job) -> float:
    return job.finished or job.created


def _age_s(job: Job) -> float:
    return time.time() - _ended(job)
