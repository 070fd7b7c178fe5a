"""Activity: every job of every page and program, what each does, heavy work on Ray with its
machines, and the memory of this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import gradio as gr

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.jobs.job import ACTIVE, FINISHED, INTERRUPTED, RUNNING
from modules.core_components.texts import _, mark
from modules.tools.models.memory import memory_in_words
from modules.tools.services import Services
from modules.tools.work.under_way import under_way
from modules.ui.events import listen
from modules.ui.pages import is_own
from modules.ui.render import empty_html, facts_html, local_time, render
from modules.ui.views import Studio
from modules.ui.widgets.jobs_view import act_on_job, job_buttons_html, job_html
from modules.ui.widgets.parts import (
    button_panel,
    choice_list,
    hidden_text,
    panel,
    polling_panel,
    title,
)

POLL_S = 2.0
MOST_JOBS = 60
# More than there are: the store forgets the oldest of those that have ended.
ALL_JOBS = 1000
MOST_MACHINES = 20
SEQUENCE = "activity"
NO_JOBS = mark("Nothing has been started yet. Everything that takes a while is listed here.")
NO_CHOICE = mark("Select a job for its progress and its log.")


class ActivityTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        self._chosen = hidden_text()
        # What was drawn last: the list is drawn again only when it has changed.
        self._drawn = hidden_text()
        with gr.Row():
            with gr.Column(scale=7, min_width=340):
                self._list = choice_list()
            with gr.Column(scale=5, min_width=320):
                self._job = panel()
                self._buttons = button_panel(visible=False)
                self._heavy = panel()
                title(_("Memory"))
                self._memory = panel()
                self._clock = polling_panel(POLL_S)
        self._listen(studio, tab)

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        drawn = [self._drawn, self._list, self._job, self._buttons]
        shown = [self._chosen, *drawn, self._memory, self._heavy]
        chosen = [self._chosen]
        studio.on_show(tab, self._show, chosen, shown, sequence=SEQUENCE)
        listen(self._list.select, self._choose, [], shown, sequence=SEQUENCE)
        listen(self._clock.select, self._poll, [*chosen, self._drawn], shown, queue=False)
        listen(self._buttons.select, self._act, chosen, shown, sequence=SEQUENCE)

    def _act(self, job_id: str, pressed: gr.EventData) -> list[Any]:
        act_on_job(self._services, job_id, pressed.id)
        return self._show(job_id)

    def _choose(self, row: gr.EventData) -> list[Any]:
        return self._show(row.id)

    def _poll(self, chosen: str, drawn: str) -> list[Any]:
        shown = self._show(chosen)
        if shown[1] == drawn:
            shown[:3] = [gr.skip()] * 3
        return shown

    def _show(self, chosen: str) -> list[Any]:
        """All jobs, what is unfinished first, and one of them with its log."""
        jobs = jobs_in_order(self._services)[:MOST_JOBS]
        running = next((job.id for job in jobs if job.state == RUNNING), "")
        job = self._find(chosen) or self._find(running)
        table = render(
            "activity",
            rows=[(each.id, each) for each in jobs],
            chosen=job.id if job else "",
            origin=_origin,
            time=_time,
            empty=_(NO_JOBS),
        )
        return [
            job.id if job else "",
            str([(each.id, each.state, f"{each.fraction:.2f}") for each in jobs]),
            table,
            self._job_html(job),
            gr.update(
                value=job_buttons_html(job, _("Remove from the list")), visible=job is not None
            ),
            facts_html(memory_in_words(self._services)),
            render(
                "heavy_work", works=under_way(self._services), most=MOST_MACHINES, speed=speed_text
            ),
        ]

    def _find(self, job_id: str) -> Job | None:
        try:
            return self._services.jobs.get(job_id) if job_id else None
        except NotFoundError:  # removed on another page
            return None

    def _job_html(self, job: Job | None) -> Any:
        if job is None:
            return empty_html(_(NO_CHOICE))
        return render(
            "activity_job",
            card=job_html(job, self._services.jobs.ahead(job.id)),
            lines=job.log,
        )


def jobs_in_order(services: Services) -> list[Job]:
    """What runs comes first, then what waits, in the order in which it will run; then what has
    ended, the latest first."""
    active = reversed(services.jobs.list(ACTIVE, limit=ALL_JOBS))
    ended = services.jobs.list((*FINISHED, INTERRUPTED), limit=ALL_JOBS)
    return [
        *sorted(active, key=lambda job: job.state != RUNNING),
        *sorted(ended, key=lambda job: job.finished or job.created, reverse=True),
    ]


def _time(moment: float) -> str:
    return local_time(datetime.fromtimestamp(moment, UTC).isoformat())


def speed_text(a_second: float) -> str:
    """Items in a unit of time in which there is at least one: 2.5 a second, 12 an hour."""
    if a_second >= 1:
        return _("{items:.1f} items a second", items=a_second)
    if a_second * 60 >= 1:
        return _("{items:.1f} items a minute", items=a_second * 60)
    return _("{items:.1f} items an hour", items=a_second * 3600)


def _origin(job: Job) -> str:
    """Where it was started: by the studio itself or a program, if on no page."""
    if is_own(job):
        return _("this page")
    return _("another page") if job.page else _("elsewhere")
