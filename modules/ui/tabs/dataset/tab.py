"""Dataset: recordings become clips with their texts; problems are reported and fixed here."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from modules.core_components.dataset.report import DatasetReport
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.texts import _, mark
from modules.tools.dataset.build import BUILD_DATASET
from modules.tools.dataset.report import REPORT_DATASET, report_of, submit_report
from modules.ui.events import listen
from modules.ui.render import empty_html
from modules.ui.tabs.dataset.clips import ClipEditor, ClipList
from modules.ui.tabs.dataset.recordings import (
    DatasetChoice,
    RecordingsPanel,
    build_export,
    show_summary,
)
from modules.ui.tabs.dataset.report_html import report_html
from modules.ui.views import Studio
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import LOADING, menu, menu_update, panel, title

SEQUENCE = "dataset-page"
KINDS = (BUILD_DATASET, REPORT_DATASET)
NO_DATASET = mark(
    "Create a dataset, then add recordings of one speaker: 15 to 60 minutes are good."
)
NO_CLIPS = mark(
    "This dataset is empty. Choose recordings and press “Add to dataset”; the report and the clips "
    "appear here. 15 to 60 minutes of speech are good."
)
NO_SECOND = mark("none")


class DatasetTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        # The DatasetReport of the chosen dataset, None without one.
        self._report = gr.State(None)
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._choice = DatasetChoice(self._services)
                self._recordings = RecordingsPanel(self._services)
                # What needs clips is shown once there are some.
                with gr.Column(visible=False) as self._export:
                    build_export(self._services, self._choice.chosen)
                self._removal = self._choice.build_removal()
            with gr.Column(scale=7, min_width=340):
                self._jobs = JobsView(self._services, KINDS)
                self._build_report()
        with gr.Row(visible=False) as self._clip_views:
            with gr.Column(scale=7, min_width=340):
                title(_("Clips, worst first"))
                self._clips = ClipList()
            with gr.Column(scale=5, min_width=320):
                self._editor = ClipEditor(self._services, self._choice.chosen, self._report)
        self._listen(studio, tab)
        studio.keep(tab, **self._choice.fields, **self._recordings.fields)

    def _build_report(self) -> None:
        title(_("Report"))
        self._shown = panel(empty_html(_(LOADING)))
        with gr.Row(visible=False) as self._checks:
            self._second = menu(_("Re-transcribe with"), _(NO_SECOND))
            self._check = gr.Button(_("Check all clips"), size="sm", min_width=140)

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        chosen, clips, editor = self._choice.chosen, self._clips, self._editor
        models = [self._recordings.model, self._recordings.precision, editor.model, self._second]
        menus = [*self._recordings.outputs, editor.model, self._second]
        listing = [clips.filter, clips.search]
        asked = [chosen, clips.pager.page, *listing, editor.clip_id]
        report = [self._report, self._shown, self._export, self._clip_views, self._checks]
        everything = [*self._choice.outputs, *report, *clips.outputs, *editor.outputs]
        add = self._recordings.build
        studio.on_show(tab, self._models, models, menus, unchecked=True, unlocks=[add])
        kept = [self._choice.kept, *asked[1:]]
        studio.on_show(tab, self._show, kept, everything, sequence=SEQUENCE)
        self._jobs.find_on_open(studio)
        for event, name in (
            (self._choice.name.input, self._choice.name),
            (self._choice.created, chosen),
        ):
            listen(event, self._choose, [name], everything, sequence=SEQUENCE)
        spoken = [chosen, self._choice.language]
        listen(self._choice.change.click, self._set_language, spoken, everything, sequence=SEQUENCE)
        self._removal.on_confirm(self._delete, [chosen], everything, SEQUENCE)
        self._recordings.listen(chosen, self._jobs)
        listen(self._check.click, self._submit_check, [chosen, self._second], [self._jobs.job_id])
        finished = [self._jobs.job_id, *everything]
        self._jobs.on_finished(self._after_job, asked, finished, SEQUENCE)
        sought = [chosen, self._report, *listing, editor.clip_id]
        # A text's "input" comes before the page knows the new text.
        for event in (clips.filter.input, clips.search.change):
            listen(event, partial(self._listed, 0), sought, clips.outputs, sequence=SEQUENCE)
        clips.pager.on_turn(self._listed, sought, clips.outputs, SEQUENCE)
        opening = [chosen, self._report]
        listen(clips.rows.select, self._open_clip, opening, editor.outputs, sequence=SEQUENCE)
        changed = [*report, *clips.outputs, *editor.outputs]
        listen(editor.changed.change, self._after_edit, asked, changed, sequence=SEQUENCE)

    def _models(
        self, model: str | None, precision: str | None, again: str | None, second: str | None
    ) -> list[Any]:
        offered = self._recordings.choices(model, precision)
        return [*offered, *self._model_menus(again, second)]

    def _model_menus(self, again: str | None, second: str | None) -> list[Any]:
        labels = self._recordings.labels()
        default = self._services.settings.asr_model
        return [
            menu_update(labels, again or default, _("None installed")),
            menu_update([(_(NO_SECOND), ""), *labels], second, _(NO_SECOND)),
        ]

    def _choose(self, name: str) -> list[Any]:
        return self._show(name, 0, "", "", "")

    def _show(self, name: str, page: int, wanted: str, search: str, clip: str) -> list[Any]:
        """Everything about a dataset, or about the latest one where it is gone.

        A text that is half typed stays: this runs when a job ends and when the tab is shown again.
        """
        chosen, *choice = self._choice.show(name)
        return [chosen, *choice, *self._about(chosen, page, wanted, search, clip, True)]

    def _after_edit(self, name: str, page: int, wanted: str, search: str, clip: str) -> list[Any]:
        return self._about(name, page, wanted, search, clip, False)

    def _about(
        self, name: str, page: int, wanted: str, search: str, clip: str, keep_edits: bool
    ) -> list[Any]:
        """A quick report, the list as it is now, and the clip once more."""
        report = report_of(self._services, name, quick=True) if name else None
        has_clips = report is not None and bool(report.clips or report.dropped_clips)
        shown: Any = empty_html(_(NO_DATASET if report is None else NO_CLIPS))
        return [
            report,
            report_html(report) if report is not None and has_clips else shown,
            *[gr.update(visible=has_clips)] * 3,
            *self._listed(page, name, report, wanted, search, clip),
            *self._editor.show(name, clip, report, keep_edits),
        ]

    def _listed(self, page: int, name: str, report: DatasetReport | None, *rest: str) -> list[Any]:
        dataset = self._services.datasets.get(name) if name else None
        return self._clips.show(page, dataset, report, *rest)

    def _open_clip(self, name: str, report: DatasetReport | None, row: gr.EventData) -> list[Any]:
        return self._editor.show(name, row.id, report)

    def _submit_check(self, name: str, second: str | None) -> str:
        if not name:
            raise BadInputError(_("There is no dataset yet."), _("Create one first."))
        return submit_report(self._services, name, second or "").id

    def _after_job(
        self, job: Job, name: str, page: int, wanted: str, search: str, clip: str
    ) -> list[Any]:
        """Shows the result of a job; new recordings are checked right away."""
        made = (job.result or {}).get("dataset", name)
        follow: Any = gr.skip()
        if job.kind == BUILD_DATASET:
            show_summary(job)
            follow = submit_report(self._services, made).id
        return [follow, *self._show(made, page, wanted, search, clip)]

    def _set_language(self, name: str, language: str | None) -> list[Any]:
        self._choice.set_language(name, language)
        return self._choose(name)

    def _delete(self, name: str) -> list[Any]:
        if not name:
            raise NotFoundError(_("There is no dataset to delete."))
        self._choice.remove(name)
        return self._choose("")
