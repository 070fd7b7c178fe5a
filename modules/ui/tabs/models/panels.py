"""Panels of the Models tab: benchmark, prepared voices, fine-tuned models, loading options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.jobs import Job
from modules.core_components.settings import ATTENTIONS, PRECISIONS
from modules.core_components.texts import _, mark
from modules.tools.models import tuned_models
from modules.tools.models.benchmark import HEADERS, cells, newest_benchmark, submit_benchmark
from modules.tools.models.memory import configure_model, load_plan, model_choices, smaller_sizes
from modules.tools.models.tuned_models import EXPORT_TUNED, submit_export, submit_import
from modules.tools.services import Services
from modules.tools.voices.prompt_cache import clear_prepared_voices, prepared_voices
from modules.ui.events import listen, listen_after, notify
from modules.ui.render import card_html, local_time, render, size_text
from modules.ui.views import Studio
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import ConfirmedButton, note, panel, title

NO_BENCHMARK = mark(
    "No benchmark yet. Each installed model is loaded and speaks or transcribes two sentences; "
    "idle models are unloaded for that."
)
NO_PREPARED_VOICES = mark(
    "No voice prompts yet. One is computed when an engine first speaks in the voice of a sample."
)
ABOUT_FACTOR = mark("A real-time factor below 1 is faster than the speech itself.")
ABOUT_IMPORT = mark(
    "A zip with config.json, model.pth, vocab.json, speakers_xtts.pth and reference clips, as the "
    "studio and most XTTS trainers write it. It is checked before it is added, and no code in it "
    "is run."
)
_AS_ALL = mark("as for all models")
_NAMES = ("device", "precision", "attention_mechanism", "keep_loaded", "preload")


class BenchmarkPanel:
    """The last benchmark as a table, and a button that runs one; `jobs` follows its job."""

    def __init__(self, studio: Studio, tab: gr.Tab, jobs: JobsView) -> None:
        self._services = studio.services
        with gr.Accordion(_("Benchmark"), open=False):
            self._table = panel()
            measure = gr.Button(_("Run benchmark"), size="sm")
        studio.on_show(tab, self._show, [], [self._table])
        listen(measure.click, self._submit, [], [jobs.job_id])
        jobs.on_finished(lambda job: self._show(), [], [self._table])

    def _submit(self) -> str:
        return submit_benchmark(self._services).id

    def _show(self) -> Markup:
        found = newest_benchmark(self._services)
        rows = [(figures.model_id, cells(figures)) for figures in (found.figures if found else ())]
        about = ""
        if found is not None:
            when = local_time(found.created)
            if not found.complete:
                when = _("{when}, stopped before the end", when=when)
            about = f"{when}. {_(ABOUT_FACTOR)}"
        return render(
            "benchmark",
            headers=[_(header) for header in HEADERS],
            rows=rows,
            empty=_(NO_BENCHMARK),
            about=about,
        )


class PromptCachePanel:
    """The voice prompts kept on disk, by model, and a button that deletes them."""

    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        title(_("Voice prompts"))
        self._table = panel()
        clear = ConfirmedButton(
            _("Delete voice prompts"), _("Each is computed again when its voice is next used.")
        )
        studio.on_show(tab, self._show, [], [self._table])
        clear.on_confirm(self._clear, [], [self._table])

    def _show(self) -> Markup:
        found = prepared_voices(self._services)
        return render(
            "voice_prompts",
            rows=[(f"{item.model_id}@{item.revision}", item) for item in found],
            total_count=sum(item.count for item in found),
            total_bytes=sum(item.nbytes for item in found),
            empty=_(NO_PREPARED_VOICES),
        )

    def _clear(self) -> Markup:
        notify(_("{size} freed.", size=size_text(clear_prepared_voices(self._services))))
        return self._show()


class TunedModelsPanel:
    """Importing a fine-tuned model, and exporting the selected one."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def build_export(self) -> None:
        """The button and the download; part of the model's details."""
        self.export = gr.Button(_("Export as zip"), size="sm", visible=False)
        self._exported = gr.File(label=_("Exported model"), visible=False, interactive=False)

    def build_import(self) -> None:
        """The form, closed at first."""
        with gr.Accordion(_("Import a fine-tuned XTTS model"), open=False):
            note(_(ABOUT_IMPORT))
            self._file = gr.File(
                label=_("Zip file of the model"), file_types=[tuned_models.SUFFIX], height=130
            )
            self._name = gr.Textbox(
                value="", label=_("Name"), placeholder=_("Name in its model card")
            )
            self._accept = gr.Checkbox(
                label=_("I accept the Coqui Public Model License (non-commercial use only)"),
                value=False,
                visible=tuned_models.needs_consent(self._services),
            )
            self._import = gr.Button(_("Import"), variant="primary")

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.export, self._exported, self._accept]

    def show(self, is_tuned: bool, exported: str = "") -> list[Any]:
        """`is_tuned`: the selected model is one; `exported`: the zip just made of it."""
        return [
            gr.update(visible=is_tuned),
            gr.update(value=exported or None, visible=bool(exported)),
            gr.update(visible=tuned_models.needs_consent(self._services)),
        ]

    def follow_in(self, job_id: Any, chosen: Any) -> None:
        """Starts the jobs; their ids go to `job_id`."""
        form = [self._file, self._name, self._accept]
        listen(self._import.click, self._submit_import, form, [job_id, *form])
        listen(self.export.click, self._submit_export, [chosen], [job_id])

    def _submit_import(self, file: str | None, name: str, accepted: bool) -> list[Any]:
        if not file:
            raise BadInputError(
                _("There is no file yet."), _("Upload the zip file of a model."), "recording"
            )
        job = submit_import(self._services, Path(file), name, accepted)
        return [job.id, None, "", False]

    def _submit_export(self, model_id: str) -> str:
        return submit_export(self._services, model_id).id


def exported_file(job: Job) -> str:
    """The zip file that a finished job made; "" for a job of another kind."""
    return (job.result or {}).get("file", "") if job.kind == EXPORT_TUNED else ""


class ModelMemoryPanel:
    """What loading the selected model would unload, and the loading options of its engine.

    Both need torch, which takes seconds to import: `follow` fills them in after the details.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def build(self) -> None:
        """The plan, and the options under it, closed at first."""
        self._plan = panel(visible=False)
        with gr.Accordion(_("Loading options"), open=False, visible=False) as self._group:
            self._device = gr.Textbox(
                label=_("Device"), info=_("Such as cuda:1 or cpu; empty: as for all models.")
            )
            self._precision = _menu(_("Precision"), PRECISIONS)
            self._attention = _menu(_("Attention"), ATTENTIONS)
            self._keep = gr.Checkbox(label=_("Keep in memory when idle"))
            self._preload = gr.Checkbox(label=_("Load at the start"))
            self._save = gr.Button(_("Save"), size="sm")

    @property
    def _fields(self) -> list[Any]:
        return [self._device, self._precision, self._attention, self._keep, self._preload]

    def follow(self, shown: Sequence[Any], chosen: Any) -> None:
        """Fills everything in after each of the listeners `shown`, for the model in `chosen`."""
        outputs = [self._plan, self._group, *self._fields]
        for listener in shown:
            listen_after(listener, self._show, [chosen], outputs)
        listen(self._save.click, self._save_choices, [chosen, *self._fields], outputs)

    def _show(self, model_id: str) -> list[Any]:
        try:
            choices = model_choices(self._services, model_id) if model_id else None
        except StudioError:  # no engine, or a package is missing: the list tells
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

    def _plan_html(self, model_id: str) -> Markup:
        try:
            plan = load_plan(self._services, model_id)
        except StudioError as error:  # its device is missing, or one it cannot use
            return card_html(error.message, error.hint, "bad")
        if plan is None:
            return Markup()
        if plan.fits:
            return card_html(plan.in_words())
        smaller = smaller_sizes(self._services, model_id)
        hint = _("These would fit: {smaller}.", smaller=", ".join(smaller)) if smaller else ""
        return card_html(plan.in_words(), hint, "bad")

    def _save_choices(self, model_id: str, *values: Any) -> list[Any]:
        given = dict(zip(_NAMES, values, strict=True))
        configure_model(self._services, model_id, {**given, "device": given["device"].strip()})
        notify(_("Saved."), _("It takes effect when the model is next used."))
        return self._show(model_id)


def _menu(label: str, choices: Sequence[str]) -> Any:
    labelled = [(_(_AS_ALL), ""), *((_(name), name) for name in choices)]
    return gr.Dropdown(label=label, choices=labelled, value="")
