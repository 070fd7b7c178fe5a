"""Models: what there is, what is here, what sits in memory and who uses it."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.text.languages import language_name
from modules.tools.models import library
from modules.tools.models.benchmark import BENCHMARK
from modules.tools.models.library import DOWNLOAD, LOAD, ModelOverview, submit_download, submit_load
from modules.tools.models.tuned_models import EXPORT_TUNED, IMPORT_TUNED, card_facts
from modules.ui.context import Studio
from modules.ui.handlers import listen, tell
from modules.ui.tabs.models.panels import (
    BenchmarkPanel,
    ModelMemoryPanel,
    PromptCachePanel,
    TunedModelsPanel,
    packed_file,
)
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import ConfirmedButton, choice_list, panel, title, watching_panel
from modules.ui.widgets.snippets import (
    badge,
    duration_text,
    empty_html,
    facts_html,
    size_text,
    table_html,
    warning_html,
)

LOOK_S = 3.0
KINDS = (DOWNLOAD, LOAD, IMPORT_TUNED, EXPORT_TUNED, BENCHMARK)
LINE = "models-list"
HEADERS = ("Model", "State", "Size", "Licence", "Languages")
TASKS = [
    ("Speaking", "text-to-speech"),
    ("Listening", "speech-to-text"),
    ("Helpers", "support"),
]
OFFLINE = (
    "The studio is offline (see Settings): nothing is downloaded. Models can still be put into "
    "their folders by hand."
)
NOTHING_IN_MEMORY = "No model is in memory. The first use loads what it needs."
LATER = "Its engine comes with a later version of the studio."


def build(studio: Studio) -> None:
    """The tab inside the current `gr.Tabs`."""
    with gr.Tab("Models", id="models") as tab:
        _ModelsTab(studio, tab)


class _ModelsTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        self._chosen = gr.State("")
        self._offline = panel(visible=False)
        with gr.Row():
            with gr.Column(scale=7, min_width=340):
                self._task = gr.Radio(TASKS, value=TASKS[0][1], show_label=False, container=False)
                self._list = choice_list()
                self._tuned = TunedModelsPanel(self._services)
                self._memory_of_one = ModelMemoryPanel(self._services)
                self._tuned.build_import()
            with gr.Column(scale=5, min_width=320):
                self._jobs = JobsView(self._services, KINDS, failures_first=True)
                self._build_details()
                self._build_memory()
                PromptCachePanel(studio, tab)
        BenchmarkPanel(studio, tab, self._jobs)
        self._listen(studio, tab)

    def _build_details(self) -> None:
        self._about = panel(empty_html("Choose a model to see what it is and can do."))
        self._accept = gr.Checkbox(label="I accept this licence", value=False, visible=False)
        with gr.Row():
            self._download = gr.Button("Download", variant="primary", size="sm", visible=False)
            self._load = gr.Button("Load into memory", size="sm", visible=False)
            self._unload = gr.Button("Unload", size="sm", visible=False)
            self._tuned.build_export()
        self._memory_of_one.build()
        with gr.Column(visible=False) as self._removal:
            self._delete = ConfirmedButton(
                "Delete",
                "It can be downloaded again later; a fine-tuned one stays in the trash.",
                "Delete it",
            )

    def _build_memory(self) -> None:
        title("In memory now")
        self._memory = watching_panel(LOOK_S)
        self._unload_all = gr.Button("Unload everything that is idle", size="sm")

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        asked = [self._task, self._chosen]
        details = [self._about, self._accept, self._download, self._load, self._unload]
        places = [self._removal, self._offline, self._memory, *self._tuned.outputs]
        shown = [self._chosen, self._list, *details, *places]
        studio.on_show(tab, self._show, asked, shown, line=LINE)
        studio.on_open(self._jobs.find, [], [self._jobs.job_id])
        tasks = listen(self._task.input, self._show_task, [self._task], shown, line=LINE)
        one = listen(self._list.select, self._show_chosen, [self._task], shown, line=LINE)
        listen(self._memory.select, self._memory_html, [], [self._memory], queue=False)
        submit = [self._chosen, self._accept]
        listen(self._download.click, self._submit_download, submit, [self._jobs.job_id])
        listen(self._load.click, self._submit_load, [self._chosen], [self._jobs.job_id])
        gone = listen(self._unload.click, self._let_go, asked, shown)
        all_gone = listen(self._unload_all.click, self._let_all_go, asked, shown)
        self._delete.on_confirm(self._remove, asked, shown)
        self._tuned.follow_in(self._jobs.job_id, self._chosen)
        done = self._jobs.on_finished(self._after_job, [self._task], shown)
        self._memory_of_one.follow([tasks, one, gone, all_gone, done], self._chosen)

    def _show_task(self, task: str) -> list[Any]:
        return self._show(task, "")

    def _show_chosen(self, task: str, row: gr.EventData) -> list[Any]:
        return self._show(task, row.id)

    def _after_job(self, job: Job, task: str) -> list[Any]:
        return self._show(task, (job.result or {}).get("model", ""), packed_file(job))

    def _show(self, task: str, chosen: str, packed: str = "") -> list[Any]:
        models = {item.entry.id: item for item in library.list_models(self._services)}
        rows = [
            (model_id, _row(item)) for model_id, item in models.items() if item.entry.task == task
        ]
        return [
            chosen,
            table_html(HEADERS, rows, chosen),
            *self._details(models.get(chosen)),
            gr.update(
                value=warning_html(OFFLINE),
                visible=self._services.settings.offline_mode,
            ),
            self._memory_html(),
            *self._tuned.show(chosen in models and models[chosen].tuned is not None, packed),
        ]

    def _details(self, item: ModelOverview | None) -> list[Any]:
        hidden = gr.update(visible=False)
        if item is None:
            return [empty_html("Choose a model to see what it is and can do."), *[hidden] * 5]
        here = item.state == "installed"
        return [
            _about_html(item),
            gr.update(visible=item.needs_consent and not here, value=False),
            gr.update(visible=not here, value="Resume" if item.state == "partial" else "Download"),
            gr.update(visible=here and item.usable and not item.in_memory),
            gr.update(visible=item.in_memory),
            gr.update(visible=item.state != "missing"),
        ]

    def _memory_html(self) -> str:
        residents = library.in_memory(self._services)
        rows = [
            (
                resident.key,
                [
                    html.escape(resident.label),
                    html.escape(resident.place),
                    size_text(resident.nbytes),
                    html.escape(", ".join(resident.holders))
                    or f"<small>idle for {duration_text(resident.idle_s)}</small>",
                ],
            )
            for resident in residents
        ]
        return table_html(("Model", "Where", "Size", "Used by"), rows, "", NOTHING_IN_MEMORY)

    def _submit_download(self, model_id: str, accepted: bool) -> str:
        if library.needs_consent(self._services, model_id):
            if not accepted:
                raise BadInputError("The licence is not accepted yet.", "Read it, then tick it.")
            library.accept_licence(self._services, model_id)
        return submit_download(self._services, model_id).id

    def _submit_load(self, model_id: str) -> str:
        return submit_load(self._services, model_id).id

    def _let_go(self, task: str, chosen: str) -> list[Any]:
        library.unload(self._services, chosen)
        return self._show(task, chosen)

    def _let_all_go(self, task: str, chosen: str) -> list[Any]:
        library.unload_idle(self._services)
        return self._show(task, chosen)

    def _remove(self, task: str, chosen: str) -> list[Any]:
        freed = library.delete(self._services, chosen)
        tell(f"Deleted: {size_text(freed)} became free." if freed else "It is in the trash.")
        return self._show(task, chosen)


def _row(item: ModelOverview) -> list[str]:
    entry = item.entry
    starter = badge("starter") if entry.starter else ""
    starter = badge("your own", "good") if item.tuned else starter
    return [
        f"<strong>{html.escape(entry.label)}</strong> {starter}"
        f"<small>{html.escape(entry.id)}</small>",
        _state_badge(item),
        f"<span class='figure'>{size_text(item.bytes_on_disk or entry.download_bytes)}</span>",
        _licence_html(item),
        _languages(entry.languages, 3),
    ]


def _state_badge(item: ModelOverview) -> str:
    if item.in_memory:
        return badge("in memory", "good")
    if item.state == "installed":
        return badge("here", "good")
    if item.state == "partial":
        return badge("in part", "warn")
    return badge("not here") if item.usable else badge("comes later")


def _licence_html(item: ModelOverview) -> str:
    licence = item.entry.licence
    limits = "" if licence.commercial else f"<small>{badge('not commercial', 'warn')}</small>"
    return f"{html.escape(licence.name)}{limits}"


def _languages(codes: tuple[str, ...], most: int) -> str:
    names = [language_name(code) for code in codes]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return html.escape(", ".join(names[:most]) + more)


def _about_html(item: ModelOverview) -> str:
    entry = item.entry
    licence = entry.licence
    facts = {
        "Can do": ", ".join(entry.abilities).replace("-", " "),
        "Languages": ", ".join(language_name(code) for code in entry.languages),
        "Memory, about": size_text(entry.memory_mb * 1e6),
        "On disk": size_text(item.bytes_on_disk),
        "Folder": str(item.folder),
        "Comes from": item.source or ", ".join(source.label for source in entry.sources),
        **(card_facts(item.tuned) if item.tuned else {}),
    }
    link = f"<a href='{html.escape(licence.url)}' target='_blank' rel='noreferrer'>its text</a>"
    note = html.escape(f"{entry.note} {'' if item.usable else LATER}".strip())
    return (
        f"<div class='studio-score'><b>{html.escape(entry.label)}</b>"
        f"<span class='words'>{note}</span>{facts_html(facts)}"
        f"<span class='words'><strong>{html.escape(licence.name)}</strong> ({link}). "
        f"{html.escape(licence.note)}</span></div>"
    )
