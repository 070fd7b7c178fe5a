"""Models: the catalog, what is installed, and what is in memory and used by which work."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.ai_models.catalog import ABILITY_NAMES
from modules.core_components.ai_models.downloads.downloader import FOUND_HERE
from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.text.languages import languages_in_words
from modules.core_components.texts import _, mark
from modules.core_components.units import memory_text
from modules.tools.models import library
from modules.tools.models.benchmark import BENCHMARK
from modules.tools.models.library import DOWNLOAD, LOAD, ModelOverview, submit_download, submit_load
from modules.tools.models.memory import memory_needed
from modules.tools.models.remotes import is_remote
from modules.tools.models.tuned_models import EXPORT_TUNED, IMPORT_TUNED, card_facts
from modules.ui.events import listen, notify
from modules.ui.render import card_html, empty_html, render, size_text
from modules.ui.tabs.models.panels import (
    BenchmarkPanel,
    ModelMemoryPanel,
    PromptCachePanel,
    TunedModelsPanel,
    exported_file,
)
from modules.ui.tabs.models.remotes import RemotesPanel
from modules.ui.views import Studio
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import ConfirmedButton, choice_list, panel, polling_panel, title

POLL_S = 3.0
KINDS = (DOWNLOAD, LOAD, IMPORT_TUNED, EXPORT_TUNED, BENCHMARK)
SEQUENCE = "models-list"
TASKS = [
    (mark("Speech"), "text-to-speech"),
    (mark("Transcription"), "speech-to-text"),
    (mark("Other"), "support"),
]
OFFLINE = mark(
    "The studio is offline (see Settings) and downloads nothing. You can still copy models into "
    "their folders."
)
NO_CHOICE = mark("Select a model for its details.")
NOT_SUPPORTED = mark("This version of the studio cannot run it yet.")


class ModelsTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        self._chosen = gr.State("")
        self._offline = panel(visible=False)
        with gr.Row():
            with gr.Column(scale=7, min_width=340):
                self._task = gr.Radio(
                    [(_(label), task) for label, task in TASKS],
                    value=TASKS[0][1],
                    label=_("Task"),
                    show_label=False,
                    container=False,
                )
                self._list = choice_list()
                self._tuned = TunedModelsPanel(self._services)
                self._memory_of_one = ModelMemoryPanel(self._services)
                self._tuned.build_import()
                self._remotes = RemotesPanel(self._services)
            with gr.Column(scale=5, min_width=320):
                self._jobs = JobsView(self._services, KINDS, failures_first=True, shared=KINDS)
                self._build_details()
                self._build_memory()
                PromptCachePanel(studio, tab)
        BenchmarkPanel(studio, tab, self._jobs)
        self._listen(studio, tab)

    def _build_details(self) -> None:
        self._about = panel(empty_html(_(NO_CHOICE)))
        self._accept = gr.Checkbox(label=_("I accept this licence"), value=False, visible=False)
        with gr.Row():
            self._download = gr.Button(_("Download"), variant="primary", size="sm", visible=False)
            self._load = gr.Button(_("Load into memory"), size="sm", visible=False)
            self._unload = gr.Button(_("Unload"), size="sm", visible=False)
            self._tuned.build_export()
        self._memory_of_one.build()
        with gr.Column(visible=False) as self._removal:
            self._delete = ConfirmedButton(
                _("Delete model"),
                _("A fine-tuned model moves to the trash; any other can be downloaded again."),
            )

    def _build_memory(self) -> None:
        title(_("In memory"))
        self._memory = polling_panel(POLL_S)
        self._unload_all = gr.Button(_("Unload idle models"), size="sm")

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        asked = [self._task, self._chosen]
        details = [self._about, self._accept, self._download, self._load, self._unload]
        places = [self._removal, self._offline, self._memory, *self._tuned.outputs]
        shown = [self._chosen, self._list, *details, *places, self._remotes.output]
        studio.on_show(tab, self._show, asked, shown, sequence=SEQUENCE)
        self._jobs.find_on_open(studio)
        tasks = listen(self._task.input, self._show_task, [self._task], shown, sequence=SEQUENCE)
        one = listen(self._list.select, self._show_chosen, [self._task], shown, sequence=SEQUENCE)
        listen(self._memory.select, self._memory_html, [], [self._memory], queue=False)
        submit = [self._chosen, self._accept]
        listen(self._download.click, self._submit_download, submit, [self._jobs.job_id])
        listen(self._load.click, self._submit_load, [self._chosen], [self._jobs.job_id])
        gone = listen(self._unload.click, self._unload_model, asked, shown, sequence=SEQUENCE)
        all_gone = listen(
            self._unload_all.click, self._unload_idle, asked, shown, sequence=SEQUENCE
        )
        self._delete.on_confirm(self._delete_model, asked, shown, SEQUENCE)
        self._tuned.follow_in(self._jobs.job_id, self._chosen)
        self._remotes.follow(self._show, asked, shown, SEQUENCE)
        done = self._jobs.on_finished(self._after_job, asked, shown, SEQUENCE)
        self._memory_of_one.follow([tasks, one, gone, all_gone, done], self._chosen)

    def _show_task(self, task: str) -> list[Any]:
        return self._show(task, "")

    def _show_chosen(self, task: str, row: gr.EventData) -> list[Any]:
        return self._show(task, row.id)

    def _after_job(self, job: Job, task: str, chosen: str) -> list[Any]:
        made = (job.result or {}).get("model", "")
        return self._show(task, made or chosen, exported_file(job))

    def _show(self, task: str, chosen: str, exported: str = "") -> list[Any]:
        models = {item.entry.id: item for item in library.list_models(self._services)}
        rows = [(name, item) for name, item in models.items() if item.entry.task == task]
        return [
            chosen,
            render("models", rows=rows, chosen=chosen),
            *self._details(models.get(chosen)),
            gr.update(
                value=card_html(_(OFFLINE), kind="warn"),
                visible=self._services.settings.offline_mode,
            ),
            self._memory_html(),
            *self._tuned.show(chosen in models and models[chosen].tuned is not None, exported),
            self._remotes.html(),
        ]

    def _details(self, item: ModelOverview | None) -> list[Any]:
        hidden = gr.update(visible=False)
        if item is None:
            return [empty_html(_(NO_CHOICE)), *[hidden] * 5]
        if is_remote(item.entry):  # there is nothing to load or delete
            return [_about_html(item), *[hidden] * 5]
        here = item.state == "installed"
        return [
            _about_html(item, memory_needed(self._services, item.entry)),
            gr.update(visible=item.needs_consent and not here, value=False),
            gr.update(
                visible=not here,
                value=_("Resume") if item.state == "partial" else _("Download"),
            ),
            gr.update(visible=here and item.usable and not item.in_memory),
            gr.update(visible=item.in_memory),
            gr.update(visible=item.state != "missing"),
        ]

    def _memory_html(self) -> Markup:
        return render("memory", rows=[(one.key, one) for one in library.in_memory(self._services)])

    def _submit_download(self, model_id: str, accepted: bool) -> str:
        if library.needs_consent(self._services, model_id):
            if not accepted:
                raise BadInputError(
                    _("The licence is not accepted yet."),
                    _("Read it, then tick the box."),
                    "licence",
                )
            library.accept_licence(self._services, model_id)
        return submit_download(self._services, model_id).id

    def _submit_load(self, model_id: str) -> str:
        return submit_load(self._services, model_id).id

    def _unload_model(self, task: str, chosen: str) -> list[Any]:
        library.unload(self._services, chosen)
        return self._show(task, chosen)

    def _unload_idle(self, task: str, chosen: str) -> list[Any]:
        library.unload_idle(self._services)
        return self._show(task, chosen)

    def _delete_model(self, task: str, chosen: str) -> list[Any]:
        freed = library.delete(self._services, chosen)
        notify(
            _("Deleted; {size} freed.", size=size_text(freed))
            if freed
            else _("It is in the trash.")
        )
        return self._show(task, chosen)


def _source_text(item: ModelOverview) -> str:
    """Where an installed model came from, or where the others can be had."""
    sources = item.entry.sources
    if item.tuned:
        return item.source
    if item.source == FOUND_HERE:
        return _("copied into the models folder")
    # A catalog of before may have had another revision of the same packages.
    came_from = [source for source in sources if source.id == item.source] or [
        source for source in sources if source.kind == item.source.partition(":")[0]
    ]
    return ", ".join(source.label for source in came_from or sources)


def _about_html(item: ModelOverview, nbytes: int = 0) -> Markup:
    """`nbytes` is the memory that it takes; 0 where only the catalog says so."""
    entry = item.entry
    facts = {
        _("Abilities"): ", ".join(_(ABILITY_NAMES[name]) for name in entry.abilities),
        _("Languages"): languages_in_words(entry.languages),
    }
    if not is_remote(entry):
        facts |= {
            _("Memory"): memory_text(nbytes or entry.memory_mb * 1_000_000),
            _("On disk"): size_text(item.bytes_on_disk),
            _("Folder"): str(item.folder),
            _("Source"): _source_text(item),
            **(card_facts(item.tuned) if item.tuned else {}),
        }
    note = f"{_(entry.note)} {'' if item.usable else _(NOT_SUPPORTED)}".strip()
    return render("model", entry=entry, note=note, values=facts)
