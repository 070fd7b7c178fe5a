"""The trash: everything that was deleted on any tab, to restore or to delete for good."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.tools.trash import empty_trash, list_trash, restore_from_trash
from modules.ui.events import listen, notify
from modules.ui.render import local_time, size_text, table_html
from modules.ui.views import Studio
from modules.ui.widgets.parts import ConfirmedButton, choice_list

HEADERS = (mark("Name"), mark("What"), mark("Deleted"), mark("Size"))
EMPTY = mark("The trash is empty.")


class TrashPanel:
    """A list in an accordion, closed at first; it is read when its tab is shown."""

    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        with gr.Accordion(_("Trash"), open=False):
            self._list = choice_list()
            self._chosen = gr.State("")
            with gr.Row():
                restore = gr.Button(_("Restore"), size="sm")
                empty = ConfirmedButton(
                    _("Empty trash"), _("Everything in it is deleted for good.")
                )
        self.outputs = [self._list, self._chosen]
        studio.on_show(tab, self.show, [], self.outputs)
        listen(self._list.select, self._choose, [], self.outputs)
        self._restored = listen(restore.click, self._restore, [self._chosen], self.outputs)
        empty.on_confirm(self._empty, [], self.outputs)

    def on_restored(self, work: Any, inputs: list[Any], outputs: list[Any], sequence: str) -> None:
        """Calls `work` after something was restored."""
        listen(self._restored.success, work, inputs, outputs, sequence=sequence)

    def show(self, chosen: str = "") -> list[Any]:
        """The list as it is now, and the selected id, "" if that is gone."""
        items = list_trash(self._services)
        rows = [
            (
                item.id,
                (
                    item.name,
                    _(item.kind),
                    local_time(item.deleted.isoformat()),
                    size_text(item.size_bytes),
                ),
            )
            for item in items
        ]
        chosen = chosen if any(item.id == chosen for item in items) else ""
        return [table_html([_(header) for header in HEADERS], rows, chosen, _(EMPTY)), chosen]

    def _choose(self, row: gr.EventData) -> list[Any]:
        return self.show(row.id)

    def _restore(self, chosen: str) -> list[Any]:
        if not chosen:
            raise BadInputError(_("Nothing is selected."), _("Select an entry of the trash first."))
        item = restore_from_trash(self._services, chosen)
        notify(_("Restored: {name} ({kind}).", name=item.name, kind=_(item.kind)))
        return self.show()

    def _empty(self) -> list[Any]:
        count, size_bytes = empty_trash(self._services)
        deleted = _("{count} deleted for good.", count=count) if count else _(EMPTY)
        notify(deleted, size_text(size_bytes))
        return self.show()
