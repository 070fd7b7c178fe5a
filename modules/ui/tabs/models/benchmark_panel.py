"""The last benchmark as a table, and a button that measures again."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from modules.tools.models.benchmark_figures import HEADERS, cells, newest_benchmark
from modules.tools.models.benchmark_jobs import submit_benchmark
from modules.ui.context import Studio
from modules.ui.handlers import listen
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import panel
from modules.ui.widgets.snippets import local_time, table_html

EMPTY = (
    "Not measured yet. Every installed model is loaded, speaks two sentences or listens to them; "
    "what is idle leaves memory for that."
)


class BenchmarkPanel:
    """Its job is followed by `jobs`, which must know the kind BENCHMARK."""

    def __init__(self, studio: Studio, tab: gr.Tab, jobs: JobsView) -> None:
        self._services = studio.services
        with gr.Accordion("Benchmark", open=False):
            self._table = panel()
            measure = gr.Button("Measure the installed models", size="sm")
        studio.on_show(tab, self._show, [], [self._table])
        listen(measure.click, self._submit, [], [jobs.job_id])
        jobs.on_finished(lambda job: self._show(), [], [self._table])

    def _submit(self) -> str:
        return submit_benchmark(self._services).id

    def _show(self) -> Any:
        found = newest_benchmark(self._services)
        rows = [
            (figures.model_id, [html.escape(cell) for cell in cells(figures)])
            for figures in (found.figures if found else ())
        ]
        table = table_html(HEADERS, rows, "", EMPTY)
        if found is None:
            return table
        state = "" if found.complete else ", stopped before the end"
        note = f"{local_time(found.created)}{state}. Of real time: below 1 is faster than speech."
        return f"{table}<div class='studio-note'>{html.escape(note)}</div>"
