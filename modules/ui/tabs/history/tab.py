"""History: all takes, to search, play, generate again and delete."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.library.takes import TakeFilter
from modules.core_components.values import Take
from modules.tools.speaking.history import AGAIN
from modules.ui.events import listen, warn
from modules.ui.render import render
from modules.ui.tabs.history.trash import TrashPanel
from modules.ui.views import Studio
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import ConfirmedButton, Pager, choice_list
from modules.ui.widgets.take_panel import TakePanel

PAGE = 12
SEQUENCE = "history-list"
NO_TAKES = "No takes yet. Everything you generate is kept here."
NO_MATCH = "No take contains all of these words in its text or voice."


class HistoryTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        with gr.Row():
            with gr.Column(scale=7, min_width=340):
                self._search = gr.Textbox(
                    value="",
                    label="Search",
                    show_label=False,
                    placeholder="Search texts and voices",
                    max_lines=1,
                )
                self._list = choice_list(str(tab.id))
                self._pager = Pager(PAGE)
                self._trash = TrashPanel(studio, tab)
            with gr.Column(scale=5, min_width=320):
                self._jobs = JobsView(self._services, (AGAIN,))
                self._take = TakePanel(self._services, self._jobs, "history-take")
                with gr.Column(visible=False) as self._tools:
                    self._delete = ConfirmedButton("Delete take", "It moves to the trash.")
        self._listen(studio, tab)
        studio.keep(tab, search=self._search)

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        # One for each of `shown`.
        self._unchanged = [gr.skip()] * (len(self._take.outputs) + 1)
        sought = [self._search, self._take.take_id]
        asked = [self._pager.page, *sought]
        listing = [self._list, *self._pager.outputs]
        shown = [*self._take.outputs, self._tools]
        self._jobs.find_on_open(studio)
        # Its "input" comes before the page knows the new text.
        listen(self._search.change, partial(self._show_page, 0), sought, listing, sequence=SEQUENCE)
        self._pager.on_turn(self._show_page, sought, listing, SEQUENCE)
        listen(self._list.select, self._show_chosen, [], shown)
        for opened in studio.on_address(tab, self._show_addressed, shown, SEQUENCE):
            listen(opened.success, self._show_page, asked, listing, sequence=SEQUENCE)
        self._jobs.on_finished(self._show_again, asked, [*shown, *listing])
        self._delete.on_confirm(self._delete_take, asked, [*shown, *listing, *self._trash.outputs])
        self._trash.on_restored(self._show_page, asked, listing)

    def _show_page(self, page: int, search: str, chosen: str) -> list[Any]:
        takes = self._services.takes
        count = takes.count(TakeFilter(search))
        first, _ = self._pager.span(page, count)
        rows = [(take.id, take) for take in takes.list(PAGE, first, TakeFilter(search))]
        empty = NO_MATCH if search.strip() else NO_TAKES
        table = render("takes", rows=rows, chosen=chosen, empty=empty)
        return [table, *self._pager.show(page, count)]

    def _show_chosen(self, row: gr.EventData) -> list[Any]:
        return self._show_take(self._services.takes.get(row.id))

    def _show_addressed(self, take_id: str) -> list[Any]:
        """The take of the address; what is shown stays where that names none."""
        if not take_id:
            return self._unchanged
        try:
            return self._show_take(self._services.takes.get(take_id))
        except NotFoundError as error:  # the list is shown all the same
            warn([f"{error.message} {error.hint}"])
            return self._show_take(None)

    def _show_take(self, take: Take | None) -> list[Any]:
        return [*self._take.show(take), gr.update(visible=take is not None)]

    def _show_again(self, job: Job, page: int, search: str, chosen: str) -> list[Any]:
        shown = self._take.show_result(job)
        return [*shown, gr.update(visible=True), *self._show_page(page, search, shown[0])]

    def _delete_take(self, page: int, search: str, chosen: str) -> list[Any]:
        self._services.takes.delete(chosen)
        return [*self._show_take(None), *self._show_page(page, search, ""), *self._trash.show()]
