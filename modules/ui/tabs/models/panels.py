"""The last benchmark as a table, and a button that measures again."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.jobs import Job
from modules.core_components.settings import ATTENTIONS, PRECISIONS
from modules.tools.models import tuned_models
from modules.tools.models.benchmark import HEADERS, cells, newest_benchmark, submit_benchmark
from modules.tools.models.memory import configure_model, load_plan, model_choices, smaller_sizes
from modules.tools.models.tuned_models import EXPORT_TUNED, submit_export, submit_import
from modules.tools.services import Services
from modules.tools.voices.prompt_cache import PreparedVoices, clear_prepared_voices, prepared_voices
from modules.ui.context import Studio
from modules.ui.handlers import error_html, listen, tell
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import ConfirmedButton, panel, title
from modules.ui.widgets.snippets import badge, local_time, size_text, table_html

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


# What the cache of prepared voices holds, and a button that empties it.


PROMPT_CACHE_PANEL_EMPTY = (
    "No voice is prepared yet. The first sentence in the voice of a sample prepares it."
)
QUESTION = "Every voice is prepared anew when it is next spoken with."


class PromptCachePanel:
    """Looks again each time its tab is chosen."""

    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        title("Prepared voices")
        self._table = panel()
        clear = ConfirmedButton("Clear prepared voices", QUESTION, "Clear them")
        studio.on_show(tab, self._show, [], [self._table])
        clear.on_confirm(self._clear, [], [self._table])

    def _show(self) -> str:
        found = prepared_voices(self._services)
        rows = [(f"{item.model_id}@{item.revision}", _row(item)) for item in found]
        if len(found) > 1:
            total = size_text(sum(item.nbytes for item in found))
            rows.append(("", ["All", str(sum(item.count for item in found)), total]))
        return table_html(("Model", "Voices", "Size"), rows, "", PROMPT_CACHE_PANEL_EMPTY)

    def _clear(self) -> Any:
        tell(f"{size_text(clear_prepared_voices(self._services))} became free.")
        return self._show()


def _row(item: PreparedVoices) -> list[str]:
    stale = "" if item.current or not item.model_id else badge("not used any more", "warn")
    return [f"{html.escape(item.label)} {stale}", str(item.count), size_text(item.nbytes)]


# Fine-tuned models on the Models tab: import a zip, pack one.


ABOUT = (
    "<div class='studio-note'>A zip with config.json, model.pth, vocab.json, speakers_xtts.pth and "
    "reference clips, as the studio and most XTTS trainers write it. Everything in it is read "
    "before it counts as a model; nothing in it is run.</div>"
)


class TunedModelsPanel:
    """Draws the import form, and a button that packs the chosen model."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def build_export(self) -> None:
        """The button, and where the packed model is fetched; part of the model's details."""
        self.pack = gr.Button("Pack as a zip", size="sm", visible=False)
        self._packed = gr.File(label="The packed model", visible=False, interactive=False)

    def build_import(self) -> None:
        """The form; closed until somebody opens it."""
        with gr.Accordion("Import a fine-tuned XTTS", open=False):
            panel(ABOUT)
            self._file = gr.File(
                label="Zip of the model", file_types=[tuned_models.SUFFIX], height=130
            )
            self._name = gr.Textbox(value="", label="Name", placeholder="As on its card")
            self._accept = gr.Checkbox(
                label="I accept the Coqui Public Model License (non-commercial use only)",
                value=False,
                visible=tuned_models.needs_consent(self._services),
            )
            self._import = gr.Button("Import", variant="primary")

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.pack, self._packed, self._accept]

    def show(self, is_tuned: bool, packed: str = "") -> list[Any]:
        """`is_tuned`: the chosen model is one; `packed` is the file that was just made of it."""
        return [
            gr.update(visible=is_tuned),
            gr.update(value=packed or None, visible=bool(packed)),
            gr.update(visible=tuned_models.needs_consent(self._services)),
        ]

    def follow_in(self, job_id: Any, chosen: Any) -> None:
        """Starts the jobs; the page shows them where it shows its others."""
        form = [self._file, self._name, self._accept]
        listen(self._import.click, self._submit_import, form, [job_id, *form])
        listen(self.pack.click, self._submit_export, [chosen], [job_id])

    def _submit_import(self, file: str | None, name: str, accepted: bool) -> list[Any]:
        if not file:
            raise BadInputError("There is no file yet.", "Drop in the zip of a model.")
        job = submit_import(self._services, Path(file), name, accepted)
        return [job.id, None, "", False]

    def _submit_export(self, model_id: str) -> str:
        return submit_export(self._services, model_id).id


def packed_file(job: Job) -> str:
    """The zip that a finished job made; "" for a job of another kind."""
    return (job.result or {}).get("file", "") if job.kind == EXPORT_TUNED else ""


# One model in memory, on the Models tab: what loading it would do, and how it is loaded.


_AS_ALL = ("as for all models", "")
_NAMES = ("device", "precision", "attention_mechanism", "keep_loaded", "preload")


class ModelMemoryPanel:
    """Says what will leave memory for the chosen model, and offers the choices its engine has.

    Both need torch, which takes seconds to import: `follow` fills them in after the details.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def build(self) -> None:
        """The plan, and the choices under it; closed until somebody opens them."""
        self._plan = panel(visible=False)
        with gr.Accordion("How it is loaded", open=False, visible=False) as self._group:
            self._device = gr.Textbox(
                label="Device", info="Such as cuda:1 or cpu; empty: as for all models."
            )
            self._precision = _menu("Numbers", PRECISIONS)
            self._attention = _menu("Attention", ATTENTIONS)
            self._keep = gr.Checkbox(label="Keep in memory when idle")
            self._preload = gr.Checkbox(label="Load when the studio starts")
            self._save = gr.Button("Save", size="sm")

    @property
    def _fields(self) -> list[Any]:
        return [self._device, self._precision, self._attention, self._keep, self._preload]

    def follow(self, shown: Sequence[Any], chosen: Any) -> None:
        """Fills everything in after each of the listeners `shown`, for the model in `chosen`."""
        outputs = [self._plan, self._group, *self._fields]
        for listener in shown:
            listen(listener.then, self._show, [chosen], outputs)
        listen(self._save.click, self._keep_choices, [chosen, *self._fields], outputs)

    def _show(self, model_id: str) -> list[Any]:
        try:
            choices = model_choices(self._services, model_id) if model_id else None
        except StudioError:  # no engine, or a package is missing: the list says so
            choices = None
        if choices is None:
            return [gr.update(visible=False)] * 2 + [gr.skip()] * len(_NAMES)
        own = choices.chosen
        return [
            gr.update(value=self._plan_html(model_id), visible=True),
            gr.update(visible=True),
            own.device,
            gr.update(value=own.precision, visible=bool(choices.precisions)),
            gr.update(value=own.attention_mechanism, visible=bool(choices.attentions)),
            own.keep_loaded,
            own.preload,
        ]

    def _plan_html(self, model_id: str) -> str:
        try:
            plan = load_plan(self._services, model_id)
        except StudioError as error:  # its device is not here, or not one it can use
            return _card(error_html(error.message, error.hint), "bad")
        if plan is None:
            return ""
        if plan.fits:
            return _card(html.escape(plan.in_words()))
        smaller = smaller_sizes(self._services, model_id)
        hint = f"These would fit: {', '.join(smaller)}." if smaller else ""
        return _card(error_html(plan.in_words(), hint), "bad")

    def _keep_choices(self, model_id: str, *values: Any) -> list[Any]:
        given = dict(zip(_NAMES, values, strict=True))
        configure_model(self._services, model_id, {**given, "device": given["device"].strip()})
        tell("Saved.", "It holds from the model's next use.")
        return self._show(model_id)


def _card(words: str, kind: str = "plain") -> str:
    return f"<div class='studio-job {kind}'><div>{words}</div></div>"


def _menu(label: str, choices: Sequence[str]) -> Any:
    return gr.Dropdown(
        label=label, choices=[_AS_ALL, *((name, name) for name in choices)], value=""
    )
