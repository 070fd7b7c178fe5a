"""History: every take, heard again, searched, made again, deleted."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.jobs import Job
from modules.core_components.values import Take
from modules.tools.speaking.history import AGAIN
from modules.ui.context import Studio
from modules.ui.handlers import listen
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import ConfirmedButton, choice_list, panel
from modules.ui.widgets.snippets import badge, duration_text, excerpt, local_time, table_html
from modules.ui.widgets.take_panel import TakePanel, again_note

PAGE = 12
LINE = "history-list"
HEADERS = ("Made", "Voice", "Text", "Length", "Likeness", "Words")
NO_TAKES = "No takes yet. What you generate on the Voice Clone tab is kept here."
NO_MATCH = "No take has all of these words in its text or voice."


def build(studio: Studio) -> None:
    """The tab inside the current `gr.Tabs`."""
    with gr.Tab("History", id="history") as tab:
        _HistoryTab(studio, tab)


class _HistoryTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        self._page = gr.State(0)
        with gr.Row():
            with gr.Column(scale=7, min_width=340):
                self._search = gr.Textbox(
                    value="",
                    show_label=False,
                    placeholder="Search in texts and voices",
                    max_lines=1,
                )
                self._list = choice_list()
                with gr.Row():
                    self._newer = gr.Button("Newer", size="sm", min_width=90)
                    self._where = panel()
                    self._older = gr.Button("Older", size="sm", min_width=90)
            with gr.Column(scale=5, min_width=320):
                self._jobs = JobsView(self._services, (AGAIN,))
                self._take = TakePanel(self._services, self._jobs, "history-take")
                with gr.Column(visible=False) as self._tools:
                    self._delete = ConfirmedButton(
                        "Delete this take", "It moves to output/.trash.", "Delete it"
                    )
        self._listen(studio, tab)

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        asked = [self._page, self._search, self._take.take_id]
        listing = [self._page, self._list, self._where, self._newer, self._older]
        shown = [*self._take.outputs, self._tools]
        studio.on_show(tab, self._show_page, asked, listing, line=LINE)
        studio.on_open(self._jobs.find, [], [self._jobs.job_id])
        first = [self._search, self._take.take_id]
        # Its "input" comes before the page knows the new text.
        listen(self._search.change, self._show_first_page, first, listing, line=LINE)
        listen(self._newer.click, self._show_newer, asked, listing, line=LINE)
        listen(self._older.click, self._show_older, asked, listing, line=LINE)
        listen(self._list.select, self._show_chosen, [], shown)
        self._jobs.on_finished(self._show_again, asked, [*shown, *listing])
        self._delete.on_confirm(self._forget, asked, [*shown, *listing])

    def _show_first_page(self, search: str, chosen: str) -> list[Any]:
        return self._show_page(0, search, chosen)

    def _show_newer(self, page: int, search: str, chosen: str) -> list[Any]:
        return self._show_page(page - 1, search, chosen)

    def _show_older(self, page: int, search: str, chosen: str) -> list[Any]:
        return self._show_page(page + 1, search, chosen)

    def _show_page(self, page: int, search: str, chosen: str) -> list[Any]:
        takes = self._services.takes
        count = takes.count(search)
        page = min(max(page, 0), max(count - 1, 0) // PAGE)
        rows = [(take.id, _row(take)) for take in takes.list(PAGE, page * PAGE, search)]
        last = min((page + 1) * PAGE, count)
        where = f"{page * PAGE + 1} to {last} of {count}" if count else ""
        return [
            page,
            table_html(HEADERS, rows, chosen, NO_MATCH if search.strip() else NO_TAKES),
            f"<div class='studio-note' style='text-align:center'>{where}</div>",
            gr.update(interactive=page > 0, visible=count > PAGE),
            gr.update(interactive=last < count, visible=count > PAGE),
        ]

    def _show_chosen(self, row: gr.EventData) -> list[Any]:
        return self._show_take(self._services.takes.get(row.id))

    def _show_take(self, take: Take | None, note: str = "") -> list[Any]:
        return [*self._take.show(take, note), gr.update(visible=take is not None)]

    def _show_again(self, job: Job, page: int, search: str, chosen: str) -> list[Any]:
        result = job.result or {}
        take = self._services.takes.get(result["take"])
        note = again_note(result["identical"], result["reason"])
        return [*self._show_take(take, note), *self._show_page(page, search, take.id)]

    def _forget(self, page: int, search: str, chosen: str) -> list[Any]:
        self._services.takes.delete(chosen)
        return [*self._show_take(None), *self._show_page(page, search, "")]


def _row(take: Take) -> list[str]:
    scores = take.scores
    words = scores.word_error_rate
    again = badge("again") if take.made_from else ""
    day, _, clock = local_time(take.created).partition(" ")
    return [
        f"<span class='figure'>{day}<small>{clock}</small></span>",
        f"{excerpt(take.voice, 28)} {again}<small>{excerpt(take.engine, 32)}</small>",
        excerpt(take.text, 80),
        f"<span class='figure'>{duration_text(take.duration_s)}</span>",
        f"{scores.similarity:.2f}" if scores.similarity is not None else "–",
        f"{1 - min(words, 1):.0%}" if words is not None else "–",
    ]
