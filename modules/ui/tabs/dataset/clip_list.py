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
from modules.core_components.dataset.values import EVAL, Clip, Dataset
from modules.ui.tabs.dataset.report_html import finding_badge, kind_name
from modules.ui.widgets.parts import choice_list, panel
from modules.ui.widgets.snippets import badge, duration_text, excerpt, table_html

PAGE = 8
HEADERS = ("Said", "Length")
NO_CLIPS = "No clips yet. Add recordings above."
NO_MATCH = "No clip is like this."
_ALWAYS = ((EVERY, "Every clip"), (FOUND, "With something to look at"))
_MORE = ((EVALUATION, "For the evaluation"), (EDITED, "Changed by hand"), (DROPPED, "Left out"))


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
            self.back = gr.Button("Back", size="sm", min_width=80)
            self._where = panel()
            self.on = gr.Button("More", size="sm", min_width=80)

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.page, self.filter, self.rows, self.back, self._where, self.on]

    def show(
        self,
        dataset: Dataset | None,
        report: DatasetReport | None,
        page: int,
        wanted: str,
        search: str,
        chosen: str,
    ) -> list[Any]:
        """A page of the clips that are wanted; the nearest one if there are fewer pages."""
        choices = _choices(report)
        wanted = wanted if wanted in [key for _, key in choices] else EVERY
        clips = listed_clips(dataset, report, wanted, search) if dataset else ()
        page = min(max(page, 0), max(len(clips) - 1, 0) // PAGE)
        rows = [(clip.id, _cells(clip, report)) for clip in clips[page * PAGE : (page + 1) * PAGE]]
        last = min((page + 1) * PAGE, len(clips))
        where = f"{page * PAGE + 1} to {last} of {len(clips)}" if clips else ""
        empty = NO_MATCH if dataset and dataset.clips else NO_CLIPS
        return [
            page,
            gr.update(choices=choices, value=wanted),
            table_html(HEADERS, rows, chosen, empty),
            gr.update(interactive=page > 0, visible=len(clips) > PAGE),
            f"<div class='studio-note' style='text-align:center'>{where}</div>",
            gr.update(interactive=last < len(clips), visible=len(clips) > PAGE),
        ]


def _choices(report: DatasetReport | None) -> list[tuple[str, str]]:
    kinds = kinds_found(report) if report else {}
    found = [(f"{kind_name(kind)} ({count})", kind) for kind, count in kinds.items()]
    return [*((label, key) for key, label in _ALWAYS), *found, *((lb, key) for key, lb in _MORE)]


def _cells(clip: Clip, report: DatasetReport | None) -> list[str]:
    found = report.findings_of(clip.id) if report else ()
    marks = [finding_badge(finding) for finding in found]
    if clip.dropped:
        marks = [badge("left out", "warn")]
    if clip.subset == EVAL:
        marks.append(badge("evaluation"))
    return [
        f"{excerpt(clip.text, 120)}<small>{' '.join(marks)}</small>",
        f"<span class='figure'>{duration_text(clip.duration_s)}</span>",
    ]
