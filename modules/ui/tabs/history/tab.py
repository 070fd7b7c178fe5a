"""History: all takes, to find, play, compare, generate again, export and delete."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.texts import _, mark
from modules.core_components.values import Take
from modules.tools.speaking.history import AGAIN
from modules.tools.speaking.take_export import join_takes, zip_takes
from modules.ui.events import listen, notify, script, warn
from modules.ui.render import empty_html, render
from modules.ui.tabs.history import filters
from modules.ui.tabs.history.filters import Filters
from modules.ui.tabs.history.trash import TrashPanel
from modules.ui.views import Studio
from modules.ui.widgets import parts
from modules.ui.widgets.comparison_panel import ComparisonPanel
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import ConfirmedButton, DownloadButtons, Pager
from modules.ui.widgets.take_panel import TakePanel

PAGE = 12
SEQUENCE = "history-list"
NO_TAKES = mark("No takes yet. Everything you generate is kept here.")
NO_MATCH = mark("No take matches. Search for other words, or choose “All” in the menus.")
COMPARE = mark("Compare")
COMPARE_WHAT = mark("Compare (tick two takes)")
ZIP, JOINED = "zip", mark("joined")


class HistoryTab:
    """`marked` are the ids of the ticked takes, in the order in which they were ticked; `deleted`
    those of the last deleted ones in the trash."""

    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        self._marked = gr.State([])
        self._deleted = gr.State([])
        self._view = str(tab.id)
        self._comparison = ComparisonPanel(self._services)
        with gr.Row():
            with gr.Column(scale=7, min_width=340):
                self._filters = Filters()
                self._list = parts.panel(
                    empty_html(_(parts.LOADING)), script=script("take_list", VIEW=repr(self._view))
                )
                self._pager = Pager(PAGE)
                with gr.Row():
                    self._compare = gr.Button(
                        _(COMPARE_WHAT), size="sm", min_width=90, interactive=False
                    )
                    several = DownloadButtons((ZIP, JOINED), "history-several-link")
                    self._delete_marked = gr.Button(
                        _("Delete selected"), size="sm", min_width=90, variant="stop"
                    )
                self._trash = TrashPanel(studio, tab)
            with gr.Column(scale=5, min_width=320):
                self._jobs = JobsView(self._services, (AGAIN,))
                self._close = parts.panel(script=script("opened_take"))
                self._take = TakePanel(self._services, self._jobs, "history-take")
                with gr.Column(visible=False) as self._tools:
                    self._delete = ConfirmedButton(_("Delete take"), _("It moves to the trash."))
        several.on_download(self._export, self._marked)
        self._listen(studio, tab)
        self._filters.keep(studio, tab)

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        # One for each of `shown`.
        self._unchanged = [gr.skip()] * (len(self._take.outputs) + 2)
        asked = [self._pager.page, self._marked, self._deleted, self._take.take_id]
        asked += self._filters.inputs
        listing = [self._list, self._marked, self._deleted, self._compare]
        listing += [*self._filters.outputs, *self._pager.outputs]
        shown = [*self._take.outputs, self._close, self._tools]
        every = [*shown, *listing]
        self._jobs.find_on_open(studio)
        self._filters.on_change(self._show_first_page, asked, listing, SEQUENCE)
        self._pager.on_turn(self._show_page, asked[1:], listing, SEQUENCE)
        # In one sequence: each takes up what the one before it left marked.
        acted = [*every, *self._trash.outputs]
        listen(self._list.select, self._act, asked, acted, sequence=SEQUENCE)
        for opened in studio.on_address(tab, self._show_addressed, shown, SEQUENCE):
            listen(opened.success, self._show_page, asked, listing, sequence=SEQUENCE)
        self._jobs.on_finished(self._show_again, asked, every, SEQUENCE)
        deleting = [*every, *self._trash.outputs]
        self._delete.on_confirm(self._delete_take, asked, deleting, SEQUENCE)
        delete_marked = self._delete_marked.click
        listen(delete_marked, self._delete_several, asked, deleting, sequence=SEQUENCE)
        self._trash.on_restored(self._show_page, asked, listing, SEQUENCE)
        listen(self._compare.click, self._show_two, [self._marked], [self._comparison.panel])

    def _show_first_page(self, page: int, *values: Any) -> list[Any]:
        return self._show_page(0, *values)

    def _show_page(
        self, page: int, marked: list[str], deleted: list[str], chosen: str, *sought: Any
    ) -> list[Any]:
        """Values for the list and all that belongs to it; what is marked and gone is dropped."""
        takes, found = self._services.takes, filters.wanted(*sought)
        fitting = takes.list(wanted=found)
        count = len(fitting)
        first, _unused = self._pager.span(page, count)
        rows = [(take.id, take) for take in fitting[first : first + PAGE]]
        known = set(takes.ids())
        marked = [take_id for take_id in marked if take_id in known]
        table = render(
            "takes",
            rows=rows,
            chosen=chosen,
            marked=marked,
            deleted=len(deleted),
            empty=_(NO_MATCH if known else NO_TAKES),
        )
        _search, _kind, voice, engine, *_rest = sought
        menus = filters.choices(takes.choices(), voice, engine)
        pair = len(marked) == 2
        compare = gr.update(value=_(COMPARE if pair else COMPARE_WHAT), interactive=pair)
        return [table, marked, deleted, compare, *menus, *self._pager.show(page, count)]

    def _act(
        self,
        made: gr.EventData,
        page: int,
        marked: list[str],
        deleted: list[str],
        chosen: str,
        *sought: Any,
    ) -> list[Any]:
        """What was pressed in the list: a row, its box, its star, or a button above; "close" is
        sent when the address names no take any more."""
        act = getattr(made, "act", "show")
        shown, trash = self._unchanged, [gr.skip()] * len(self._trash.outputs)
        if act == "show":
            rest = [gr.skip()] * (6 + len(self._pager.outputs))
            return [*self._show_take(self._services.takes.get(made.id)), *rest, *trash]
        if act == "close":
            shown, chosen = self._show_take(None), ""
        elif act == "mark":
            marked = [take_id for take_id in marked if take_id != made.id]
            marked += [made.id] if made.on else []
        elif act == "star":
            self._services.takes.mark_favourite(made.id, bool(made.on))
        elif act == "clear":
            marked = []
        elif act == "undo":
            restored = [self._services.takes.restore(trash_id) for trash_id in deleted]
            deleted, trash = [], self._trash.show()
            notify(
                _("Restored.")
                if len(restored) == 1
                else _("{count} takes are restored.", count=len(restored))
            )
        return [*shown, *self._show_page(page, marked, deleted, chosen, *sought), *trash]

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
        return [*self._take.show(take), *self._around(take.id if take else "")]

    def _around(self, take_id: str) -> list[Any]:
        """What stands above and below the take that is open."""
        link = render("opened_take", view=self._view, take_id=take_id) if take_id else Markup()
        return [link, gr.update(visible=bool(take_id))]

    def _show_again(
        self,
        job: Job,
        page: int,
        marked: list[str],
        deleted: list[str],
        chosen: str,
        *sought: Any,
    ) -> list[Any]:
        shown = self._take.show_result(job)
        listing = self._show_page(page, marked, deleted, shown[0], *sought)
        return [*shown, *self._around(shown[0]), *listing]

    def _delete_take(
        self, page: int, marked: list[str], deleted: list[str], chosen: str, *sought: Any
    ) -> list[Any]:
        return self._delete_all([chosen], page, marked, chosen, *sought)

    def _delete_several(
        self, page: int, marked: list[str], deleted: list[str], chosen: str, *sought: Any
    ) -> list[Any]:
        if not marked:
            raise BadInputError(_("No takes are selected."), _("Tick the takes in the list first."))
        return self._delete_all(marked, page, marked, chosen, *sought)

    def _delete_all(
        self, take_ids: Sequence[str], page: int, marked: list[str], chosen: str, *sought: Any
    ) -> list[Any]:
        """Moves takes to the trash; the list offers to undo it."""
        deleted = [self._services.takes.delete(take_id) for take_id in take_ids]
        shown = self._show_take(None) if chosen in take_ids else self._unchanged
        chosen = "" if chosen in take_ids else chosen
        listing = self._show_page(page, marked, deleted, chosen, *sought)
        return [*shown, *listing, *self._trash.show()]

    def _show_two(self, marked: list[str]) -> Any:
        if len(marked) != 2:
            raise BadInputError(_("Two takes can be compared."), _("Tick two of them in the list."))
        return self._comparison.show(*marked)

    def _export(self, what: str, marked: list[str]) -> Path:
        if what == ZIP:
            return zip_takes(self._services, marked)
        return join_takes(self._services, marked)
