"""The clips of a dataset, worst first, a page at a time."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.dataset.report import (
    DROPPED,
    EDITED,
    EVALUATION,
    EVERY,
    FOUND,
    DatasetReport,
    kinds_found,
    listed_clips,
)
from modules.core_components.dataset.values import Dataset
from modules.ui.render import render
from modules.ui.tabs.dataset.report_html import BADGES, KINDS
from modules.ui.widgets.parts import choice_list, panel

PAGE = 8
NO_CLIPS = "No clips yet. Add recordings above."
NO_MATCH = "No clip matches."
_ALWAYS = ((EVERY, "All clips"), (FOUND, "With problems"))
_MORE = ((EVALUATION, "For evaluation"), (EDITED, "Edited"), (DROPPED, "Excluded"))


class ClipList:
    """The list with its filter, its search and its pages."""

    def __init__(self) -> None:
        self.page = gr.State(0)
        with gr.Row():
            self.filter = gr.Dropdown(
                [(label, key) for key, label in _ALWAYS],
                value=EVERY,
                label="Show",
                filterable=False,
                min_width=150,
            )
            self.search = gr.Textbox(
                value="",
                label="Search",
                placeholder="Words in the text",
                max_lines=1,
                min_width=150,
            )
        self.rows = choice_list()
        with gr.Row():
            self.previous = gr.Button("Previous", size="sm", min_width=80)
            self._where = panel()
            self.next = gr.Button("Next", size="sm", min_width=80)

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.page, self.filter, self.rows, self.previous, self._where, self.next]

    def show(
        self,
        dataset: Dataset | None,
        report: DatasetReport | None,
        page: int,
        wanted: str,
        search: str,
        chosen: str,
    ) -> list[Any]:
        """A page of the matching clips; the last one if there are fewer pages."""
        choices = _choices(report)
        wanted = wanted if wanted in [key for _, key in choices] else EVERY
        clips = listed_clips(dataset, report, wanted, search) if dataset else ()
        page = min(max(page, 0), max(len(clips) - 1, 0) // PAGE)
        listed = clips[page * PAGE : (page + 1) * PAGE]
        last = page * PAGE + len(listed)
        empty = NO_MATCH if dataset and dataset.clips else NO_CLIPS
        return [
            page,
            gr.update(choices=choices, value=wanted),
            render(
                "clips",
                rows=[(clip.id, clip) for clip in listed],
                findings={
                    clip.id: report.findings_of(clip.id) if report else () for clip in listed
                },
                kinds=KINDS,
                badges=BADGES,
                chosen=chosen,
                empty=empty,
            ),
            gr.update(interactive=page > 0, visible=len(clips) > PAGE),
            render("page_number", first=page * PAGE + 1, last=last, count=len(clips)),
            gr.update(interactive=last < len(clips), visible=len(clips) > PAGE),
        ]


def _choices(report: DatasetReport | None) -> list[tuple[str, str]]:
    kinds = kinds_found(report) if report else {}
    found = [(f"{KINDS.get(kind, kind)} ({count})", kind) for kind, count in kinds.items()]
    return [*((label, key) for key, label in _ALWAYS), *found, *((lb, key) for key, lb in _MORE)]
